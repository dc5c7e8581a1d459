package firewall

import (
	"net/netip"
	"strings"
	"testing"
)

// iptables is a dump of one table: its chains' declarations and rules.
func iptables(table string, lines ...string) string {
	return "*" + table + "\n" + strings.Join(lines, "\n") + "\nCOMMIT\n"
}

// nft is a table of the nft listing.
func nft(head string, lines ...string) string {
	return "table " + head + " {\n" + strings.Join(lines, "\n") + "\n}\n"
}

const (
	open   = ":FORWARD ACCEPT [0:0]"
	closed = ":FORWARD DROP [0:0]"
	// forwardChain is FORWARD as iptables-nft makes it.
	forwardChain = "chain FORWARD {\ntype filter hook forward priority filter; policy accept;\n"
	// printedDrop is chain f of table ip t with a rule that drops, as nft prints it.
	printedDrop = `{"chain": {"family": "ip", "table": "t", "name": "f", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
		{"rule": {"family": "ip", "table": "t", "chain": "f", "expr": [{"drop": null}]}}`

	base = "chain f {\ntype filter hook forward priority filter; policy accept;\n"
)

// forwarded is the packet that the cases start from: eth0 to docker0, from 10.2.0.2:40000 to
// 10.1.0.2:80, the first of its connection.
func forwarded(change func(*Packet)) Packet {
	p := tcp("eth0", "docker0", containerA, netip.MustParseAddr("10.1.0.2"), 80)
	if change != nil {
		change(&p)
	}
	return p
}

// TestSemantics has a case for each thing that rules can mean: the packet, and what drops it,
// empty if it arrives.
func TestSemantics(t *testing.T) {
	state := func(s string) func(*Packet) { return func(p *Packet) { p.State = s } }
	sets := map[string][]netip.Prefix{"in": {netip.MustParsePrefix("10.2.0.0/16")}, "out": nil}
	filter := func(lines ...string) Dump { return Dump{NFT: iptables("filter", lines...), Sets: sets} }
	listing := func(lines ...string) Dump { return Dump{Ruleset: nft("ip t", lines...)} }
	v6 := func(p *Packet) { p.Src, p.Dst = netip.MustParseAddr("fd10:2::2"), netip.MustParseAddr("fd10:1::2") }
	icmp := func(kind, code uint8) func(*Packet) {
		return func(p *Packet) { p.Proto, p.ICMPType, p.ICMPCode = "icmp", kind, code }
	}
	for _, c := range []struct {
		name   string
		dump   Dump
		packet func(*Packet)
		by     string
	}{
		{"nothing", Dump{}, nil, ""},
		{"policy", filter(closed), nil, "policy DROP"},
		{"policy of another hook", filter(":INPUT DROP [0:0]", open), nil, ""},
		{"reject is a drop", filter(open, "-A FORWARD -j REJECT --reject-with icmp-port-unreachable"), nil, "REJECT"},
		{"first rule decides", filter(open, "-A FORWARD -j ACCEPT", "-A FORWARD -j DROP"), nil, ""},
		{"interface", filter(open, "-A FORWARD -i eth1 -j DROP"), nil, ""},
		{"negated interface", filter(open, "-A FORWARD ! -i docker0 -j DROP"), nil, "! -i docker0"},
		{"negated interface, holds", filter(open, "-A FORWARD ! -i eth0 -j DROP"), nil, ""},
		{"interface by its beginning", filter(open, "-A FORWARD -i eth+ -j DROP"), nil, "eth+"},
		{"negated source", filter(open, "-A FORWARD ! -s 10.2.0.0/24 -j DROP"), nil, ""},
		{"destination prefix", filter(open, "-A FORWARD -d 10.1.0.0/30 -j DROP"), nil, "/30"},
		{"destination beyond the prefix", filter(open, "-A FORWARD -d 10.1.0.4/30 -j DROP"), nil, ""},
		{"protocol", filter(open, "-A FORWARD -p udp -j DROP"), nil, ""},
		{"protocol by number", filter(open, "-A FORWARD -p 6 -j DROP"), nil, "-p 6"},
		{"ports", filter(open, "-A FORWARD -p tcp -m multiport --dports 22,79:81 -j DROP"), nil, "multiport"},
		{"other ports", filter(open, "-A FORWARD -p tcp -m tcp --dport 81:90 -j DROP"), nil, ""},
		{"connection state", filter(open, "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j DROP"), state("established"), "RELATED"},
		{"other connection state", filter(open, "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j DROP"), nil, ""},
		{"negated connection state", filter(open, "-A FORWARD -m conntrack ! --ctstate NEW -j DROP"), nil, ""},
		{"icmp type and code", filter(closed, "-A FORWARD -p icmp -m icmp --icmp-type 3/4 -j ACCEPT"), icmp(3, 4), ""},
		{"icmp type, other code", filter(closed, "-A FORWARD -p icmp -m icmp --icmp-type 3/4 -j ACCEPT"), icmp(3, 1), "policy DROP"},
		{"ipset", filter(open, "-A FORWARD -m set --match-set in src -j DROP"), nil, "in src"},
		{"ipset, other side", filter(open, "-A FORWARD -m set --match-set in dst -j DROP"), nil, ""},
		{"negated ipset", filter(open, "-A FORWARD -m set ! --match-set in src -j DROP"), nil, ""},
		{"negated empty ipset", filter(open, "-A FORWARD -m set ! --match-set out src -j DROP"), nil, "out src"},
		{"mark", filter(open, "-A FORWARD -m mark --mark 0x10000/0x10000 -j DROP"), func(p *Packet) { p.Mark = 0x10001 }, "0x10000"},
		{"mark not set", filter(open, "-A FORWARD -m mark --mark 0x10000/0x10000 -j DROP"), nil, ""},
		{"mark set on the way", Dump{NFT: iptables("mangle", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -j MARK --set-xmark 0x4/0x4") +
			iptables("filter", open, "-A FORWARD -m mark --mark 0x4/0x4 -j DROP")}, nil, "--mark 0x4"},
		{"mark set on the way leaves other bits", Dump{NFT: iptables("mangle", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -j MARK --set-xmark 0x4/0x4") +
			iptables("filter", open, "-A FORWARD -m mark --mark 0x5 -j DROP")}, func(p *Packet) { p.Mark = 1 }, "--mark 0x5"},
		{"comment with a target in it", filter(closed, `-A FORWARD -m comment --comment "no -j \"DROP\"" -j ACCEPT`), nil, ""},
		{"counters", filter(open, "[12:720] -A FORWARD -j DROP"), nil, "-A FORWARD"},
		{"log goes on", filter(closed, `-A FORWARD -m limit --limit 3/min -j LOG --log-prefix "-j ACCEPT "`, "-A FORWARD -j ACCEPT"), nil, ""},

		{"sent by the host itself", filter(open, "-A FORWARD -m addrtype --src-type LOCAL -j DROP"), nil, ""},
		{"sent by the host itself, negated", filter(open, "-A FORWARD -m addrtype ! --src-type LOCAL -j DROP"), nil, "--src-type"},

		{"jump and come back", filter(open, ":A - [0:0]", "-A FORWARD -j A", "-A FORWARD -j DROP", "-A A -i eth1 -j ACCEPT"), nil, "-A FORWARD -j DROP"},
		{"return", filter(open, ":A - [0:0]", "-A FORWARD -j A", "-A A -j RETURN", "-A A -j DROP"), nil, ""},
		{"return at the top is the policy", filter(closed, "-A FORWARD -j RETURN", "-A FORWARD -j ACCEPT"), nil, "policy DROP"},
		{"goto comes back to the caller's caller", filter(closed, ":A - [0:0]", ":B - [0:0]", "-A FORWARD -j A", "-A FORWARD -j ACCEPT", "-A A -g B", "-A A -j DROP"), nil, ""},
		{"goto at the top ends in the policy", filter(closed, ":A - [0:0]", "-A FORWARD -g A", "-A FORWARD -j ACCEPT"), nil, "policy DROP"},

		{"accept in raw ends raw only", Dump{NFT: iptables("raw", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -j ACCEPT") + iptables("filter", closed)}, nil, "policy DROP"},
		{"raw is before conntrack's accept", Dump{NFT: iptables("raw", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -d 10.1.0.2/32 ! -i docker0 -j DROP") +
			iptables("filter", open, "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT")}, state("established"), "-A PREROUTING"},
		{"accept in one variant, policy in the other", Dump{NFT: iptables("filter", open, "-A FORWARD -j ACCEPT"), Legacy: iptables("filter", closed)}, nil, "iptables-legacy"},
		{"the other way round", Dump{Legacy: iptables("filter", open, "-A FORWARD -j ACCEPT"), NFT: iptables("filter", closed)}, nil, "iptables-nft"},
		{"accept in an own table ahead", Dump{NFT: iptables("filter", closed), Ruleset: nft("ip t", "chain f {\ntype filter hook forward priority -10; policy accept;\naccept\n}")}, nil, "policy DROP"},
		{"one table printed twice counts once", Dump{NFT: iptables("filter", open, "-A FORWARD -j ACCEPT"), Ruleset: nft("ip filter", forwardChain, "counter accept", "}")}, nil, ""},
		{"what nft cannot print is in iptables-save", Dump{NFT: iptables("filter", open, "-A FORWARD -p tcp -j DROP"), Ruleset: nft("ip filter", forwardChain, "counter accept", "}")}, nil, "iptables-nft, table ip filter, chain FORWARD, rule 1: -A FORWARD -p tcp"},
		{"a rule that iptables-save does not have", Dump{NFT: iptables("filter", open), Ruleset: nft("ip filter", forwardChain, "ip saddr 10.2.0.2 drop", "}")}, nil, "ip saddr 10.2.0.2 drop"},
		{"a chain that iptables-save does not have", Dump{NFT: iptables("filter", open), Ruleset: nft("ip filter", base, "drop", "}")}, nil, "nftables, table ip filter, chain f"},
		{"a table inet filter is nobody's of iptables", Dump{NFT: iptables("filter", open, "-A FORWARD -j ACCEPT"), Ruleset: nft("inet filter", forwardChain, "drop", "}")}, nil, "nftables, table inet filter"},
		{"a table of the other family counts", Dump{NFT6: iptables("filter", open), Ruleset: nft("ip filter", base, "drop", "}")}, nil, "nftables"},
		{"a table of the legacy variant is another", Dump{Legacy: iptables("filter", open), Ruleset: nft("ip filter", base, "drop", "}")}, nil, "nftables"},
		{"a table that iptables-save could not print", Dump{NFT: "# Table `filter' is incompatible, use 'nft' tool.\n", Ruleset: nft("ip filter", base, "drop", "}")}, nil, "nftables"},
		{"tables of IPv6 do not see IPv4", Dump{NFT6: iptables("filter", closed), Ruleset: nft("ip6 t", base, "drop", "}")}, nil, ""},
		{"tables of IPv6", Dump{NFT6: iptables("filter", closed)}, v6, "table ip6"},
		{"family inet sees both", Dump{Ruleset: nft("inet t", base, "drop", "}")}, v6, "table inet"},
		{"an IPv4 match in family inet", Dump{Ruleset: nft("inet t", base, "ip saddr != 10.0.0.1 drop", "}")}, v6, ""},
		{"a bridge's table", Dump{Ruleset: nft("bridge t", base, "drop", "}")}, nil, ""},
		{"a dormant table", Dump{Ruleset: nft("ip t", base, "drop", "}"), Dormant: []string{"ip t"}}, nil, ""},
		{"a table that says it is dormant", Dump{Ruleset: `{"nftables": [{"table": {"family": "ip", "name": "t", "flags": ["dormant"]}}, ` + printedDrop + `]}`}, nil, ""},
		{"a table that says it has an owner", Dump{Ruleset: `{"nftables": [{"table": {"family": "ip", "name": "t", "flags": "owner"}}, ` + printedDrop + `]}`}, nil, "chain f"},

		{"a host's own address is not forwarded", filter(":INPUT ACCEPT [0:0]", closed), func(p *Packet) { p.ToHost = true }, ""},
		{"input", filter(":INPUT DROP [0:0]", open), func(p *Packet) { p.ToHost = true }, "chain INPUT"},
		{"what the host sends", filter(":OUTPUT ACCEPT [0:0]", closed, "-A OUTPUT -o docker0 -j DROP"), func(p *Packet) { p.In = "" }, "-A OUTPUT"},

		{"what the host sends has its address", filter(":OUTPUT ACCEPT [0:0]", open, "-A OUTPUT -m addrtype --src-type LOCAL -j DROP"), func(p *Packet) { p.In = "" }, "-A OUTPUT"},

		{"nft policy", listing("chain f {\ntype filter hook forward priority filter; policy drop;\n}"), nil, "policy DROP"},
		{"nft interface", listing(base, `iifname != "docker0" oifname "docker0" drop`, "}"), nil, "iifname"},
		{"nft interface by its beginning", listing(base, `iifname "eth*" drop`, "}"), nil, "eth*"},
		{"nft interfaces", listing(base, `iifname != { "eth0", "docker0" } drop`, "}"), nil, ""},
		{"nft has no way out yet in prerouting", listing("chain p {\ntype filter hook prerouting priority raw; policy accept;\n" + `oifname "docker0" drop` + "\n}"), nil, ""},
		{"nft named set over lines", listing("set s {\ntype ipv4_addr\nflags interval\nelements = { 10.9.0.0/16,\n 10.2.0.1-10.2.0.9 }\n}", base, "ip saddr @s drop", "}"), nil, "@s"},
		{"nft negated set", listing("set s {\ntype ipv4_addr\nelements = { 10.2.0.2 }\n}", base, "ip saddr != @s drop", "}"), nil, ""},
		{"nft empty set", listing("set s {\ntype ipv4_addr\n}", base, "ip saddr @s drop", "}"), nil, ""},
		{"nft elements with a life", listing("set s {\ntype ipv4_addr\nflags timeout\nelements = { 10.2.0.2 timeout 1h expires 59m, 10.2.0.3 }\n}", base, "ip saddr @s drop", "}"), nil, "@s"},
		{"nft ports", listing(base, "tcp dport { 22, 80-90 } drop", "}"), nil, "80-90"},
		{"nft port of another protocol", listing(base, "udp dport 80 drop", "}"), nil, ""},
		{"nft state list", listing(base, "ct state established,related accept", "ct state invalid,new drop", "}"), nil, "invalid,new"},
		{"nft state set", listing(base, "ct state { established, new } drop", "}"), nil, "established"},
		{"nft map of states", listing(base, "ct state vmap { established : accept, new : drop }", "}"), nil, "vmap"},
		{"nft map without the key", listing(base, "ct state vmap { established : accept, related : accept }", "drop", "}"), nil, "rule 2"},
		{"nft map without the key ends its rule", listing(base, "ct state vmap { established : accept, related : continue } drop", "}"), nil, ""},
		{"nft map with the key goes on", listing(base, "ct state vmap { established : accept, new : continue } drop", "}"), nil, "continue"},
		{"nft map and a mark", listing("chain p {\ntype filter hook prerouting priority mangle; policy accept;\nct state vmap { related : continue } meta mark set 0x1\n}", base, "meta mark 0x1 drop", "}"), nil, ""},
		{"nft sees no connection before tracking", listing("chain p {\ntype filter hook prerouting priority raw; policy accept;\nct state new drop\n}"), nil, ""},
		{"nft sees all invalid before tracking", listing("chain p {\ntype filter hook prerouting priority raw; policy accept;\nct state invalid drop\n}"), nil, "invalid"},
		{"nft map of interfaces", listing("map m {\ntype ifname : verdict\nelements = { \"docker0\" : jump in,\n \"br\" : drop }\n}", base, "oifname vmap @m", "}", "chain in {\ndrop\n}"), nil, "chain in, rule 1"},
		{"nft goto", listing(base, "goto a", "drop", "}", "chain a {\nreturn\n}"), nil, ""},
		{"nft mark and mask", listing(base, "meta mark & 0x00010000 == 0x00010000 drop", "}"), func(p *Packet) { p.Mark = 0x10001 }, "0x10000"},
		{"nft mark, other bit", listing(base, "meta mark & 0x00010000 == 0x00010000 drop", "}"), func(p *Packet) { p.Mark = 1 }, ""},
		{"nft sets a bit of the mark", listing("chain p {\ntype filter hook prerouting priority mangle; policy accept;\nmeta mark set meta mark | 0x00010000 accept\n}", base, "meta mark 0x00010001 drop", "}"), func(p *Packet) { p.Mark = 1 }, "0x10001"},
		{"nft sets the mark", listing("chain p {\ntype filter hook prerouting priority mangle; policy accept;\nmeta mark set 0x2\n}", base, "meta mark != 0x2 drop", "}"), func(p *Packet) { p.Mark = 1 }, ""},
		{"nft icmp", listing(base, "icmp type { echo-request, 13 } drop", "}"), icmp(8, 0), "echo-request"},
		{"nft protocol", listing(base, "meta l4proto { icmp, ipv6-icmp } drop", "}"), nil, ""},
		{"nft comment with braces and words", listing(base, `counter packets 1 bytes 2 drop comment "accept {"`, "}"), nil, "rule 1"},
		{"nft counter with a name", listing("counter drops {\n}", base, `counter name "drops" drop`, "}"), nil, "rule 1"},
		{"nft log with a verdict in its prefix", listing(base, `log prefix "drop" level info accept`, "drop", "}"), nil, ""},
		{"nft handles", listing(base, "drop # handle 7", "} # handle 3"), nil, "rule 1: drop"},
		{"nft reject with a reason", listing(base, "ip protocol tcp reject with tcp reset", "}"), nil, "reject"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseText(t, c.dump)
			if err != nil {
				t.Fatal(err)
			}
			v := r.Forward(forwarded(c.packet))
			if got := v.By.String(); v.Dropped != (c.by != "") || v.Dropped && !strings.Contains(got, c.by) {
				t.Errorf("dropped %v by %s, want %q", v.Dropped, got, c.by)
			}
			if len(v.Unsure) > 0 {
				t.Errorf("unsure of %v", v.Unsure)
			}
		})
	}
}
