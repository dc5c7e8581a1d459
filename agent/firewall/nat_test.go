package firewall

import (
	"net/netip"
	"testing"
)

// TestTranslation: what the receiver sees of the first packet of a connection.
func TestTranslation(t *testing.T) {
	masquerade := iptables("nat", ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -s 10.2.0.0/16 -j MASQUERADE")
	own := func(priority, rule string) string {
		return nft("ip own", "chain p {\ntype nat hook postrouting priority "+priority+"; policy accept;\n"+rule+"\n}")
	}
	dnat := iptables("nat", ":PREROUTING ACCEPT [0:0]", ":DOCKER - [0:0]", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
		"-A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.9:8000") + iptables("filter", closed, "-A FORWARD -d 10.1.0.9/32 -p tcp -m tcp --dport 8000 -j ACCEPT")
	toHost := func(p *Packet) { p.ToHost = true }
	const masked = "" // the source becomes the outgoing interface's
	for _, c := range []struct {
		name     string
		dump     Dump
		packet   func(*Packet)
		src, dst string
	}{
		{"nothing", Dump{}, nil, "10.2.0.2", "10.1.0.2:80"},
		{"masquerade", Dump{NFT: masquerade}, nil, masked, "10.1.0.2:80"},
		{"masquerade by the legacy variant", Dump{Legacy: masquerade}, nil, masked, "10.1.0.2:80"},
		{"not of a later packet", Dump{NFT: masquerade}, func(p *Packet) { p.State = "established" }, "10.2.0.2", "10.1.0.2:80"},
		{"of a connection that was expected", Dump{NFT: masquerade}, func(p *Packet) { p.State = "related" }, masked, "10.1.0.2:80"},
		{"not of a message about another", Dump{NFT: masquerade}, func(p *Packet) { p.State, p.Proto = "related", "icmp" }, "10.2.0.2", "10.1.0.2:80"},
		{"a mapping to itself comes first", Dump{NFT: masquerade, Ruleset: own("srcnat - 10", "snat to ip saddr")}, nil, "10.2.0.2", "10.1.0.2:80"},
		{"with the family spelled out", Dump{Legacy: masquerade, Ruleset: own("90", "snat ip to ip saddr")}, nil, "10.2.0.2", "10.1.0.2:80"},
		{"a mapping to itself comes last", Dump{NFT: masquerade, Ruleset: own("srcnat + 10", "snat to ip saddr")}, nil, masked, "10.1.0.2:80"},
		{"a plain accept settles nothing", Dump{NFT: masquerade, Ruleset: own("srcnat - 10", "accept")}, nil, masked, "10.1.0.2:80"},
		{"an accept in the same chain does", Dump{NFT: iptables("nat", ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -j ACCEPT", "-A POSTROUTING -j MASQUERADE")}, nil, "10.2.0.2", "10.1.0.2:80"},
		{"snat", Dump{NFT: iptables("nat", ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -j SNAT --to-source 192.168.1.9")}, nil, "192.168.1.9", "10.1.0.2:80"},
		{"nft snat", Dump{Ruleset: own("srcnat", "snat to 192.168.1.9")}, nil, "192.168.1.9", "10.1.0.2:80"},
		{"nft masquerade", Dump{Ruleset: own("srcnat", "counter packets 1 bytes 1 masquerade fully-random")}, nil, masked, "10.1.0.2:80"},
		{"dnat, then forward to the new destination", Dump{NFT: dnat}, toHost, "10.2.0.2", "10.1.0.9:8000"},
		{"nft dnat", Dump{Ruleset: nft("ip t", "chain p {\ntype nat hook prerouting priority dstnat; policy accept;\nfib daddr type local tcp dport 80 dnat to 10.1.0.9:8000 comment \"DNAT\"\n}")}, toHost, "10.2.0.2", "10.1.0.9:8000"},
		{"the first dnat is the last", Dump{NFT: dnat, Ruleset: nft("ip t", "chain p {\ntype nat hook prerouting priority dstnat + 1; policy accept;\ndnat to 10.1.0.8\n}")}, toHost, "10.2.0.2", "10.1.0.9:8000"},
		{"mangle is before it", Dump{NFT: dnat + iptables("mangle", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -d 10.1.0.9/32 -j DROP")}, toHost, "10.2.0.2", "10.1.0.9:8000"},
		{"all nft translations are after mangle, too", Dump{Ruleset: nft("ip t", "chain p {\ntype nat hook prerouting priority -190; policy accept;\ntcp dport 80 dnat to 10.1.0.9:8000\n}",
			"chain m {\ntype filter hook prerouting priority mangle; policy accept;\nip daddr 10.1.0.9 drop\n}")}, nil, "10.2.0.2", "10.1.0.9:8000"},
		{"redirect", Dump{NFT: iptables("nat", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -p tcp -j REDIRECT --to-ports 3128") + iptables("filter", closed)}, nil, "10.2.0.2", "10.1.0.2:3128"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseText(t, c.dump)
			if err != nil {
				t.Fatal(err)
			}
			v := r.Forward(forwarded(c.packet))
			if v.Dropped || len(v.Unsure) > 0 {
				t.Fatalf("dropped by %s, unsure of %v", v.By, v.Unsure)
			}
			if v.Masqueraded != (c.src == masked) || !v.Masqueraded && v.Src != netip.MustParseAddr(c.src) || v.Masqueraded && v.Src.IsValid() {
				t.Errorf("source %s, masqueraded %v, want %q", v.Src, v.Masqueraded, c.src)
			}
			if got := netip.AddrPortFrom(v.Dst, v.DstPort).String(); got != c.dst {
				t.Errorf("destination %s, want %s", got, c.dst)
			}
		})
	}
}

func TestRoutingMark(t *testing.T) {
	rules, err := Parse(Dump{NFT: "*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n-A PREROUTING -i docker0 -j MARK --set-xmark 0x7/0xffffffff\n-A FORWARD -j MARK --set-xmark 0x9/0xffffffff\nCOMMIT\n"})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]uint32{"docker0": 7, "eth0": 0} {
		p := Packet{In: in, Out: "eth1", Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "tcp", SrcPort: 40000, DstPort: 80}
		if have := rules.Forward(p).RoutingMark; have != want {
			t.Errorf("in by %s: mark %d, want %d", in, have, want)
		}
	}
}
