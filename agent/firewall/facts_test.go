package firewall

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestDockerTable: what Docker's own table says in each state that was captured.
func TestDockerTable(t *testing.T) {
	bridges := func(all []Bridge) string {
		var texts []string
		for _, b := range all {
			name := b.Name
			if strings.HasPrefix(name, "br-") {
				name = "br"
			}
			texts = append(texts, b.Family+" "+name)
		}
		return strings.Join(texts, ", ")
	}
	want := map[string]string{
		"29.1.3-nftables-empty":                "drops false, told ip docker0, closed ip docker0, internal , mark 0x0/0x0",
		"29.7.2-nftables-plain":                "drops true, told ip docker0, closed ip docker0, internal , mark 0x0/0x0",
		"29.7.2-nftables-gw-routed":            "drops false, told ip br, ip docker0, closed ip docker0, internal , mark 0x0/0x0",
		"29.7.2-nftables-gw-nat-unprotected":   "drops false, told ip br, ip docker0, closed ip docker0, internal , mark 0x0/0x0",
		"29.7.2-nftables-internal":             "drops false, told ip br, ip docker0, closed ip docker0, internal ip br, mark 0x0/0x0",
		"29.7.2-nftables-ipv6":                 "drops true, told ip br, ip docker0, ip6 br, closed ip br, ip docker0, ip6 br, internal , mark 0x0/0x0",
		"29.7.2-nftables-agent-applied":        "drops false, told ip br, ip docker0, closed ip br, ip docker0, internal , mark 0x10000/0x10000",
		"29.7.2-nftables-userbridge-published": "drops true, told ip br, ip docker0, closed ip br, ip docker0, internal , mark 0x0/0x0",
	}
	seen := 0
	for _, f := range fixtures(t) {
		d := f.rules.DockerTable()
		if d.Present != (f.backend == "nftables") {
			t.Errorf("%s: present %v", f.name, d.Present)
		}
		if want[f.name] == "" {
			continue
		}
		seen++
		got := fmt.Sprintf("drops %v, told %s, closed %s, internal %s, mark %#x/%#x", d.Drops, bridges(d.Told), bridges(d.Closed), bridges(d.Internal), d.Mark, d.Mask)
		if got != want[f.name] {
			t.Errorf("%s:\ngot  %s\nwant %s", f.name, got, want[f.name])
		}
		if d.Starting() {
			t.Errorf("%s: starting, with bridges", f.name)
		}
	}
	if seen != len(want) {
		t.Errorf("%d captures compared", seen)
	}
}

// TestUsedMarks: the bits that rules of anybody look at or set.
func TestUsedMarks(t *testing.T) {
	own := func(rules ...string) Dump {
		return Dump{Ruleset: nft("inet t", slices.Concat([]string{base}, rules, []string{"}"})...)}
	}
	for _, c := range []struct {
		name string
		dump Dump
		want uint32
	}{
		{"none", Dump{}, 0},
		{"iptables", Dump{NFT: iptables("mangle", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -j MARK --set-xmark 0x4000/0xf000", "-A PREROUTING -m mark --mark 0x1 -j ACCEPT")}, 0xf001},
		{"all bits say nothing", Dump{Legacy6: iptables("mangle", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xff0000")}, 0xff0000},
		{"nft, compared", own("meta mark & 0x10000 == 0x10000 accept", "meta mark != 0x2 accept", "meta mark { 0x4, 0x8 } accept"), 0x1000e},
		{"nft, set", own("meta mark set meta mark | 0x20", "meta mark set meta mark & 0xffffff0f | 0x40", "meta mark set 0x100"), 0x1f0},
		{"nft, of the connection", own("meta mark set ct mark", "ct mark set 0x7"), 0},
		{"excepted", Dump{Ruleset: nft("ip mine", base, "meta mark 0x1 drop", "}")}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseText(t, c.dump)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.UsedMarks("mine"); got != c.want {
				t.Errorf("got %#x, want %#x", got, c.want)
			}
		})
	}
}

// TestUnproven: what could not be read, or is not followed and may drop, is said.
func TestUnproven(t *testing.T) {
	stock := "chain input {\ntype filter hook input priority filter;\n}\nchain forward {\ntype filter hook forward priority filter;\n}\nchain output {\ntype filter hook output priority filter;\n}"
	for _, c := range []struct {
		name string
		dump Dump
		want string
	}{
		{"nothing", Dump{}, ""},
		{"Debian's stock table", Dump{Ruleset: nft("inet filter", stock)}, ""},
		{"no nft", Dump{Unread: []Unread{{"nftables", "the command nft is not installed"}}}, "nftables could not be read: the command nft is not installed"},
		{"iptables-save gave up", Dump{NFT: "# Table `filter' contains incompatible base-chains, use 'nft' tool to list them.\n" + iptables("filter", open)}, "iptables-nft cannot print a table"},
		{"the same, and nft told", Dump{NFT: "# Table `filter' is incompatible, use 'nft' tool.\n", Ruleset: nft("ip filter", base, "}")}, ""},
		{"a bridge's policy", Dump{Ruleset: nft("bridge filter", "chain forward {\ntype filter hook forward priority 0; policy drop;\n}")}, "table bridge filter, chain forward may drop"},
		{"a bridge's drop in another chain", Dump{Ruleset: nft("bridge filter", "chain a {\nip saddr 10.0.0.1 drop\n}", "chain forward {\ntype filter hook forward priority 0; policy accept;\njump a\n}")}, "table bridge filter, chain forward"},
		{"a bridge that only counts", Dump{Ruleset: nft("bridge filter", "chain forward {\ntype filter hook forward priority 0; policy accept;\ncounter accept\n}")}, ""},
		{"ingress", Dump{Ruleset: nft("netdev n", "chain i {\ntype filter hook ingress device lo priority 0; policy accept;\nip saddr 10.0.0.1 drop\n}")}, "hook ingress"},
		{"arp", Dump{Ruleset: nft("arp a", "chain i {\ntype filter hook input priority 0; policy drop;\n}")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseText(t, c.dump)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(r.Unproven(), "; ")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestLaterDocuments: what a later document says of a set counts; a set that is nowhere is not
// an empty one.
func TestLaterDocuments(t *testing.T) {
	rules := `{"nftables": [{"set": {"family": "ip", "name": "s", "table": "t", "type": "ipv4_addr"}},
		{"chain": {"family": "ip", "table": "t", "name": "f", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
		{"rule": {"family": "ip", "table": "t", "chain": "f", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@s"}}, {"drop": null}]}}]}`
	elements := `{"nftables": [{"set": {"family": "ip", "name": "s", "table": "t", "type": "ipv4_addr", "elem": ["10.2.0.2"]}}]}`
	for _, c := range []struct {
		dump            Dump
		dropped, unsure bool
	}{
		{Dump{Ruleset: rules}, false, false},
		{Dump{Ruleset: strings.Replace(rules, `"name": "s"`, `"name": "other"`, 1)}, false, true},
		{Dump{Ruleset: rules + elements}, true, false},
		{Dump{Ruleset: elements + "\n" + rules + elements}, true, false},
	} {
		r, err := Parse(c.dump)
		if err != nil {
			t.Fatal(err)
		}
		v := r.Forward(forwarded(nil))
		if v.Dropped != c.dropped || len(v.Unsure) > 0 != c.unsure {
			t.Errorf("%+v: dropped %v, unsure of %v", c.dump, v.Dropped, v.Unsure)
		}
	}
}

// TestSave: what others ask of iptables-save.
func TestSave(t *testing.T) {
	s := ReadSave("# made by hand\n*filter\n:FORWARD DROP [1:2]\n:DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n:mine - [0:0]\n:theirs - [0:0]\n:ufw-before-forward - [0:0]\n" +
		"[3:4] -A FORWARD -j DOCKER-USER\n-A DOCKER ! -i docker0 -o docker0 -j DROP\n-A DOCKER-USER -j mine\n-A DOCKER-USER -j theirs\n-A mine -j DROP\n-A theirs -s 10.0.0.1/32 -j REJECT\n-A theirs -j DOCKER-USER\nCOMMIT\n")
	if got := s.ForeignDrops("DOCKER-USER", "mine"); !slices.Equal(got, []string{"theirs -s 10.0.0.1/32 -j REJECT"}) {
		t.Errorf("drops %q", got)
	}
	if !s.DropsUnpublished() || s.Policy("filter", "FORWARD") != "DROP" || s.Policy("filter", "DOCKER") != "" || !slices.Equal(s.Keepers(), []string{"ufw"}) {
		t.Errorf("%+v", s)
	}
	if !s.HasChain("filter", "mine") || s.HasChain("nat", "mine") || !slices.Equal(s.TableNames(), []string{"filter"}) {
		t.Errorf("%+v", s)
	}
	if got := s.ChainRules("filter", "FORWARD"); !slices.Equal(got, []string{"-A FORWARD -j DOCKER-USER"}) {
		t.Errorf("rules %q", got)
	}
}

// TestChainsAsWritten: base chains of nftables, and their rules as they were written.
func TestChainsAsWritten(t *testing.T) {
	r, err := parseText(t, Dump{Ruleset: nft("ip own", "set from { type ipv4_addr; flags interval; elements = { 10.1.0.0/24 } }",
		"chain post {\ntype nat hook postrouting priority srcnat - 10; policy accept;\nip saddr @from ip daddr != 10.9.0.0/16 snat to ip saddr\n}",
		"chain pre {\ntype filter hook prerouting priority mangle; policy accept;\n"+
			"iifname \"eth0\" meta mark set meta mark & 0xfffeffff | 0x10000 counter accept comment \"ours\"\niifname != \"docker0\" fib daddr type != local ct state invalid,new drop\n}")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ip own post 90 nat": "ip saddr @from ip daddr != 10.9.0.0/16 snat to ip saddr",
		"ip own pre -150 filter": `iifname "eth0" meta mark set meta mark | 0x10000 accept comment "ours"` + "\n" +
			`iifname != "docker0" fib daddr type != local ct state invalid,new drop`,
	}
	for _, c := range r.bases {
		var texts []string
		for _, one := range c.rules {
			texts = append(texts, one.text)
		}
		name := fmt.Sprint(c.table.family, " ", c.table.name, " ", c.name, " ", c.priority, " ", map[bool]string{false: "filter", true: "nat"}[c.nat])
		if got := strings.Join(texts, "\n"); got != want[name] || c.drop {
			t.Errorf("chain %s drops %v: got %q", name, c.drop, got)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not there: %q", want)
	}
}
