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
