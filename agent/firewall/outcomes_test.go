package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range texts {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// lines are the outcomes of a flow that are not plain passes, for people.
func lines(all []Outcome) []string {
	var texts []string
	for _, o := range all {
		if !o.Dropped && len(o.Unsure) == 0 && !o.Masqueraded && !o.Redirected {
			continue
		}
		text := fmt.Sprint(o.From, " ", o.To)
		if limits := o.Limits(); limits != "" {
			text += " " + limits
		}
		switch {
		case o.Dropped:
			text += ": " + o.By.Text
		case o.Masqueraded:
			text += ": masked"
		case o.Redirected:
			text += ": redirected"
		}
		if len(o.Unsure) > 0 {
			text += "? " + o.Unsure[0].Text
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

// TestOutcomes: every rule that tells packets between subnets apart is found, with what it is
// limited to.
func TestOutcomes(t *testing.T) {
	flow := Flow{In: "eth0", Out: "docker0", From: prefixes("10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"), To: prefixes("10.1.0.0/24")}
	filter := func(lines ...string) Dump { return Dump{NFT: iptables("filter", append([]string{open}, lines...)...)} }
	own := func(lines ...string) Dump {
		return Dump{Ruleset: nft("inet fw", slices.Concat([]string{base}, lines, []string{"}"})...)}
	}
	for _, c := range []struct {
		name string
		dump Dump
		want []string
	}{
		{"nothing", Dump{}, nil},
		{"policy", Dump{NFT: iptables("filter", closed)}, []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24]: policy DROP"}},
		{"the second peer", filter("-A FORWARD -s 10.3.0.0/24 -j DROP"), []string{"[10.3.0.0/24] [10.1.0.0/24]: -A FORWARD -s 10.3.0.0/24 -j DROP"}},
		{"one port", filter("-A FORWARD -p tcp -m tcp --dport 8080 -j DROP"), []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24] tcp to port 8080: -A FORWARD -p tcp -m tcp --dport 8080 -j DROP"}},
		{"one protocol", filter("-A FORWARD -p udp -j DROP"), []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24] udp: -A FORWARD -p udp -j DROP"}},
		{"ports that are accepted before", filter("-A FORWARD -p tcp -m tcp --dport 22 -j ACCEPT", "-A FORWARD -p tcp -j DROP"), []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24] tcp to port 1-21, 23-65535: -A FORWARD -p tcp -j DROP"}},
		{"one container", filter("-A FORWARD -d 10.1.0.7/32 -j DROP"), []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.7/32]: -A FORWARD -d 10.1.0.7/32 -j DROP"}},
		{"two peers by ranges, nft", own("ip saddr { 10.3.0.9-10.3.0.10, 10.4.0.0/24 } tcp dport { 22, 80 } drop"), []string{"[10.3.0.9/32 10.3.0.10/32 10.4.0.0/24] [10.1.0.0/24] tcp to port 22, 80: ip saddr { 10.3.0.9-10.3.0.10, 10.4.0.0/24 } tcp dport { 22, 80 } drop"}},
		{"pairs, nft", own("ip saddr . ip daddr { 10.2.0.5 . 10.1.0.5, 10.3.0.5 . 10.1.0.6 } drop"), []string{
			"[10.2.0.5/32] [10.1.0.5/32]: ip saddr . ip daddr { 10.2.0.5 . 10.1.0.5, 10.3.0.5 . 10.1.0.6 } drop",
			"[10.3.0.5/32] [10.1.0.6/32]: ip saddr . ip daddr { 10.2.0.5 . 10.1.0.5, 10.3.0.5 . 10.1.0.6 } drop",
		}},
		{"all ports above", own("udp dport > 1024 drop"), []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24] udp to port 1025-65535: udp dport > 1024 drop"}},
		{"pings", own("icmp type echo-request drop"), []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24] icmp: icmp type echo-request drop"}},
		{"another kind of message", own("icmp type timestamp-request drop"), nil},
		{"a source port", own("tcp sport 53 drop"), []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24] tcp from port 53: tcp sport 53 drop"}},
		{"a rate, for one peer", own("ip saddr 10.3.0.0/24 limit rate over 10/second drop"), []string{"[10.3.0.0/24] [10.1.0.0/24]? ip saddr 10.3.0.0/24 limit rate over 10/second drop"}},
		{"a new connection of no SYN", filter("-A FORWARD -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP"), nil},
		{"masquerade of one peer", Dump{NFT: iptables("nat", ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -s 10.4.0.0/24 -j MASQUERADE")}, []string{"[10.4.0.0/24] [10.1.0.0/24]: masked"}},
		{"redirected to a proxy", Dump{NFT: iptables("nat", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128")}, []string{"[10.2.0.0/24 10.3.0.0/24 10.4.0.0/24] [10.1.0.0/24] tcp to port 80: redirected"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseText(t, c.dump)
			if err != nil {
				t.Fatal(err)
			}
			all := r.Outcomes(flow)
			if got := lines(all); !slices.Equal(got, c.want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
			}
			checkOutcomes(t, r, flow, all)
		})
	}
}

// checkOutcomes asks single packets of each outcome, at its edges.
func checkOutcomes(t *testing.T, r *Ruleset, f Flow, all []Outcome) {
	t.Helper()
	for _, o := range all {
		ports, protos := o.Ports, o.Protos
		if len(ports) == 0 {
			ports = []Ports{{1, 65535}}
		}
		if len(protos) == 0 {
			protos = []string{"tcp", "udp", "icmp"}
		}
		sport := uint16(40000)
		if len(o.SourcePorts) > 0 {
			sport = o.SourcePorts[0].From
		}
		for _, proto := range protos {
			for _, port := range ports {
				p := Packet{In: f.In, Out: f.Out, Src: o.From[0].Addr(), Dst: o.To[len(o.To)-1].Addr(), Proto: proto, SrcPort: sport, DstPort: port.To, ICMPType: 8, State: f.State}
				v := r.Forward(p)
				if v.Dropped != o.Dropped || v.By != o.By || v.Masqueraded != o.Masqueraded && !v.Dropped || len(v.Unsure) != len(o.Unsure) {
					t.Errorf("%+v: alone %+v, among others %+v", p, v, o)
				}
			}
		}
	}
}

// TestOutcomesOfCaptures: an outcome says of each packet what the packet alone is told, with
// the rules of real engines.
func TestOutcomesOfCaptures(t *testing.T) {
	for _, f := range fixtures(t) {
		for _, b := range f.bridges {
			for _, state := range []string{"new", "established"} {
				in := Flow{In: "eth0", Out: b.name, From: prefixes("10.2.0.0/24", "10.3.0.0/24"), To: []netip.Prefix{b.subnet}, State: state}
				out := Flow{In: b.name, Out: "eth0", From: in.To, To: in.From, State: state}
				for _, flow := range []Flow{in, out} {
					all := f.rules.Outcomes(flow)
					if len(all) == 0 {
						t.Fatalf("%s: no outcome", f.name)
					}
					if state == "new" {
						checkOutcomes(t, f.rules, flow, all)
					}
				}
			}
		}
	}
}

// TestOutcomesTooMany: what rules made to tell everything apart leave unasked is said.
func TestOutcomesTooMany(t *testing.T) {
	var rules []string
	for i := range 16 {
		rules = append(rules, fmt.Sprintf("-A FORWARD -d 10.0.0.0/8 -p tcp -m tcp --dport %d -m set --match-set s%d src -j MARK --set-xmark %#x/%#x", 2*i+1, i, 1<<i, 1<<i))
	}
	for i := range 200 {
		rules = append(rules, fmt.Sprintf("-A FORWARD -s 10.2.0.%d -p udp -m udp --dport %d -j DROP", i, i+1))
		rules = append(rules, fmt.Sprintf("-A FORWARD -d 10.1.0.%d -p udp -m udp --sport %d -j DROP", i, i+1))
	}
	r, err := Parse(Dump{NFT: iptables("filter", append([]string{open}, rules...)...)})
	if err != nil {
		t.Fatal(err)
	}
	f := Flow{In: "eth0", Out: "docker0", From: prefixes("10.2.0.0/24"), To: prefixes("10.1.0.0/24")}
	all := r.Outcomes(f)
	if !slices.ContainsFunc(all, func(o Outcome) bool {
		return slices.ContainsFunc(o.Unsure, func(r Rule) bool { return r == unasked() })
	}) {
		t.Errorf("%d outcomes, and no word of what was not asked", len(all))
	}
}

// TestRoutingMarks: which packets carry a mark when their route is looked up, and which of them
// only if they are of a port.
func TestRoutingMarks(t *testing.T) {
	flow := Flow{In: "docker0", Out: "eth0", From: prefixes("10.1.0.0/24"), To: prefixes("10.2.0.0/24", "10.3.0.0/24")}
	mangle := func(rules ...string) Dump {
		return Dump{NFT: iptables("mangle", append([]string{":PREROUTING ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]"}, rules...)...)}
	}
	for _, c := range []struct {
		name string
		dump Dump
		want string
	}{
		{"none", Dump{}, ""},
		{"all", mangle("-A PREROUTING -j MARK --set-xmark 0x7/0xffffffff"), "[10.2.0.0/24 10.3.0.0/24]  0x7"},
		{"the second peer", mangle("-A PREROUTING -i docker0 -d 10.3.0.0/24 -j MARK --set-xmark 0x7/0xffffffff"), "[10.3.0.0/24]  0x7"},
		{"a port", mangle("-A PREROUTING -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xffffffff"), "[10.2.0.0/24 10.3.0.0/24] tcp to port 80 0x1"},
		{"after routing", mangle("-A FORWARD -j MARK --set-xmark 0x7/0xffffffff"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseText(t, c.dump)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, o := range r.RoutingMarks(flow) {
				texts = append(texts, fmt.Sprintf("%v %s %#x", o.To, o.Limits(), o.Mark))
			}
			if got := strings.Join(texts, "\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
