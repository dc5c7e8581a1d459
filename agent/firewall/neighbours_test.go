package firewall

import (
	"strings"
	"testing"
)

// TestNeighbours: rules in the manner of other firewalls that share a host with Docker are
// understood, as far as they meet an IPv4 packet that is passed on.
func TestNeighbours(t *testing.T) {
	firewalld := nft("inet firewalld",
		"chain mangle_PREROUTING {\ntype filter hook prerouting priority mangle + 10; policy accept;",
		"jump mangle_PREROUTING_ZONES\n}",
		"chain mangle_PREROUTING_ZONES {\n"+`iifname "eth0" goto mangle_PRE_public`+"\n}",
		"chain mangle_PRE_public {\n}",
		"chain filter_PREROUTING {\ntype filter hook prerouting priority filter + 10; policy accept;",
		"icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept",
		"meta nfproto ipv6 fib saddr . mark . iif oif missing drop\n}",
		"chain filter_FORWARD {\ntype filter hook forward priority filter + 10; policy accept;",
		"ct state { established, related } accept",
		"ct status dnat accept",
		`iifname "lo" accept`,
		"ct state invalid drop",
		"ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24, 2002:a00::/24 } reject with icmpv6 type addr-unreachable",
		"jump filter_FORWARD_POLICIES",
		"reject with icmpx admin-prohibited\n}",
		"chain filter_FORWARD_POLICIES {",
		`iifname "eth0" oifname "docker0" jump filter_FWD_public`,
		`iifname "docker0" oifname { "eth0", "docker0" } return`+"\n}",
		"chain filter_FWD_public {\nmeta l4proto { icmp, ipv6-icmp } accept\ntcp dport 22 accept\n}")
	ufw := iptables("filter", closed, ":ufw-before-forward - [0:0]", ":ufw-logging-deny - [0:0]", ":ufw-user-forward - [0:0]", ":ufw-reject-forward - [0:0]",
		"-A FORWARD -j ufw-before-forward", "-A FORWARD -j ufw-reject-forward",
		"-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT",
		"-A ufw-before-forward -j ufw-user-forward",
		"-A ufw-user-forward -p tcp -m multiport --dports 22,443 -m comment --comment \"dapp_web\" -j ACCEPT",
		"-A ufw-logging-deny -m conntrack --ctstate INVALID -m limit --limit 3/min --limit-burst 10 -j RETURN",
		"-A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW BLOCK] \"",
		"-A ufw-reject-forward -j ufw-logging-deny", "-A ufw-reject-forward -j REJECT --reject-with icmp-port-unreachable")
	for _, c := range []struct {
		name   string
		dump   Dump
		packet func(*Packet)
		by     string
	}{
		{"firewalld", Dump{Ruleset: firewalld}, nil, "chain filter_FORWARD, rule 7"},
		{"firewalld, a port", Dump{Ruleset: firewalld}, func(p *Packet) { p.DstPort = 22 }, ""},
		{"firewalld, established", Dump{Ruleset: firewalld}, func(p *Packet) { p.State = "established" }, ""},
		{"firewalld, ping", Dump{Ruleset: firewalld}, func(p *Packet) { p.Proto, p.ICMPType = "icmp", 8 }, ""},
		{"ufw", Dump{NFT: ufw}, nil, "chain ufw-reject-forward, rule 2"},
		{"ufw, a port", Dump{Legacy: ufw}, func(p *Packet) { p.DstPort = 443 }, ""},
		{"ufw, ping", Dump{Legacy: ufw}, func(p *Packet) { p.Proto, p.ICMPType = "icmp", 8 }, ""},
	} {
		r, err := parseText(t, c.dump)
		if err != nil {
			t.Fatal(err)
		}
		v := r.Forward(forwarded(c.packet))
		if v.Dropped != (c.by != "") || !strings.Contains(v.By.String(), c.by) || len(v.Unsure) > 0 {
			t.Errorf("%s: dropped %v by %s, want %q; unsure of %v", c.name, v.Dropped, v.By, c.by, v.Unsure)
		}
	}
}

// TestFieldCases: rulesets that were met beside Docker. A drop is named, and what lets packets
// pass is understood.
func TestFieldCases(t *testing.T) {
	const stateMap = "ct state vmap { established : accept, related : accept, invalid : drop }"
	stock := nft("inet filter", "chain forward {\ntype filter hook forward priority 0; policy drop;", stateMap, `iifname "lan0" oifname "eth0" accept`+"\n}")
	vpcOnly := nft("inet filter", "chain forward {\ntype filter hook forward priority filter; policy drop;", "ct state established,related accept",
		`iifname "docker0" accept`, "ip saddr 192.168.0.0/16 accept\n}")
	byHand := nft("inet filter", "chain input {\ntype filter hook input priority filter; policy accept;\n"+`iifname "docker0" accept`+"\nct state established,related accept\n}",
		"chain forward {\ntype filter hook forward priority filter; policy drop;", "ct state established,related accept", `iifname "docker0" oifname "eth0" accept`,
		`log prefix "[nft] forward denied: " limit rate 5/minute`+"\n}") +
		nft("ip nat", "chain postrouting {\ntype nat hook postrouting priority srcnat; policy accept;\n"+`ip saddr 172.20.1.0/24 oifname "eth0" masquerade`+"\n}")
	netavark := nft("inet netavark",
		"chain INPUT {\ntype filter hook input priority filter; policy accept;\nip saddr 10.88.0.0/16 udp dport 53 accept\n}",
		"chain FORWARD {\ntype filter hook forward priority filter; policy accept;\nct state invalid drop\njump NETAVARK-ISOLATION-1",
		"ip daddr 10.88.0.0/16 ct state established,related accept\nip saddr 10.88.0.0/16 accept\n}",
		"chain POSTROUTING {\ntype nat hook postrouting priority srcnat; policy accept;\nmeta mark & 0x00002000 == 0x00002000 masquerade\nip saddr 10.88.0.0/16 jump nv_demo_10_88\n}",
		"chain NETAVARK-ISOLATION-1 {\nip saddr 10.89.0.0/24 ip daddr != 10.89.0.0/24 jump NETAVARK-ISOLATION-2\n}",
		"chain NETAVARK-ISOLATION-2 {\n}",
		"chain NETAVARK-ISOLATION-3 {\n"+`oifname "podman0" drop`+"\njump NETAVARK-ISOLATION-2\n}",
		"chain nv_demo_10_88 {\nip daddr 10.88.0.0/16 accept\nip daddr != 224.0.0.0/4 masquerade\n}")
	kube := iptables("filter", open, ":KUBE-FIREWALL - [0:0]", ":KUBE-FORWARD - [0:0]",
		`-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD`, "-A FORWARD -j KUBE-FIREWALL",
		"-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
		`-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT`,
		"-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
		"-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP") +
		iptables("mangle", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -m connmark ! --mark 0x0 -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000",
			`-A PREROUTING -m rpfilter --invert -j LOG --log-prefix "rp "`)
	flow := Flow{In: "eth0", Out: "docker0", From: prefixes("10.2.0.0/24"), To: prefixes("10.1.0.0/24")}
	back := Flow{In: "docker0", Out: "eth0", From: flow.To, To: flow.From}
	for _, c := range []struct {
		name     string
		dump     Dump
		in, back string // the rule that drops the first packet
	}{
		{"table inet filter with a policy", Dump{NFT: iptables("filter", open), Ruleset: stock}, "table inet filter, chain forward, policy DROP", "table inet filter, chain forward, policy DROP"},
		{"for the hosts' own network only", Dump{Ruleset: vpcOnly}, "table inet filter, chain forward, policy DROP", ""},
		{"instead of Docker's iptables", Dump{Ruleset: byHand}, "table inet filter, chain forward, policy DROP", ""},
		{"podman's", Dump{Ruleset: netavark}, "", ""},
		{"kube's", Dump{NFT: kube}, "", ""},
	} {
		r, err := parseText(t, c.dump)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range []struct {
			flow Flow
			by   string
		}{{flow, c.in}, {back, c.back}} {
			all := r.Outcomes(way.flow)
			if len(all) != 1 || all[0].Dropped != (way.by != "") || !strings.Contains(all[0].By.String(), way.by) || len(all[0].Unsure) > 0 {
				t.Errorf("%s, from %v: %+v, want %q", c.name, way.flow.From, all, way.by)
			}
		}
		if len(r.Unproven()) > 0 {
			t.Errorf("%s: %q", c.name, r.Unproven())
		}
	}
}
