package firewall

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
)

// printedRule is a rule of a chain at forward as nft prints it, of its expressions.
func printedRule(exprs string) string {
	return `{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"table": {"family": "ip", "name": "t", "handle": 1}},
		{"chain": {"family": "ip", "table": "t", "name": "f", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
		{"rule": {"family": "ip", "table": "t", "chain": "f", "handle": 2, "expr": [` + exprs + `]}}]}`
}

// doubling is a set of chains each of which jumps to the next one twice.
func doubling() []string {
	var lines []string
	for i := range 48 {
		jump := fmt.Sprintf("-A C%d -j C%d", i, i+1)
		lines = append(lines, jump, jump)
	}
	return append(lines, "-A C48 -j RETURN")
}

// TestUnsure: a rule that is not understood is taken not to match, and named where it could
// have made a difference.
func TestUnsure(t *testing.T) {
	filter := func(lines ...string) Dump { return Dump{NFT: iptables("filter", lines...)} }
	listing := func(lines ...string) Dump { return Dump{Ruleset: nft("ip t", lines...)} }
	printed := func(exprs string) Dump { return Dump{Ruleset: printedRule(exprs)} }
	for _, c := range []struct {
		name    string
		dump    Dump
		dropped bool
		unsure  string // parts of the rules' texts
	}{
		{"a match that may accept", filter(closed, "-A FORWARD -m recent --rcheck --name x -j ACCEPT"), true, "recent"},
		{"a match that may drop", filter(open, "-A FORWARD -m bpf --bytecode 1 -j DROP"), false, "bpf"},
		{"a drop that changes nothing", filter(closed, "-A FORWARD -m recent --rcheck -j DROP"), true, ""},
		{"an accept that changes nothing", filter(open, "-A FORWARD -m recent --rcheck -j ACCEPT"), false, ""},
		{"ruled out by what is understood", filter(open, "-A FORWARD -i eth1 -m recent --rcheck -j DROP"), false, ""},
		{"not reached", filter(open, "-A FORWARD -j ACCEPT", "-A FORWARD -m recent --rcheck -j DROP"), false, ""},
		{"one that decides nothing", filter(open, "-A FORWARD -m recent --set"), false, ""},
		{"one that only marks", filter(open, "-A FORWARD -m recent --rcheck -j MARK --set-xmark 0x1/0x1", "-A FORWARD -m mark --mark 0x1 -j DROP"), false, "recent"},
		{"a match without options", filter(open, "-A FORWARD -m socket -j DROP"), false, "socket"},
		{"a target", filter(open, "-A FORWARD -j NFQUEUE --queue-num 1"), false, "NFQUEUE"},
		{"an unknown set", filter(open, "-A FORWARD -m set --match-set nowhere src -j DROP"), false, "nowhere"},
		{"a set of pairs", filter(open, "-A FORWARD -m set --match-set nowhere dst,dst -j DROP"), false, "dst,dst"},
		{"a value", filter(open, "-A FORWARD -s example -j DROP"), false, "example"},
		{"nft match", listing(base, "ip ttl 1 drop", "}"), false, "ttl"},
		{"nft match before one that is understood", listing(base, "ct original ip saddr 10.9.9.9 drop", "}"), false, "original"},
		{"nft match of iptables", printed(`{"xt": {"type": "match", "name": "set"}}, {"drop": null}`), false, "xt match"},
		{"nft match of an older nft", printed(`{"xt": null}, {"drop": null}`), false, "xt"},
		{"nft target of iptables", printed(`{"xt": {"type": "target", "name": "NFQUEUE"}}`), false, "NFQUEUE"},
		{"nft statement of a newer nft", printed(`{"ponder": {"deeply": true}}, {"drop": null}`), false, "ponder"},
		{"nft rate", listing(base, "limit rate over 10/second burst 5 packets drop", "}"), false, "limit"},
		{"nft unknown set", printed(`{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@nowhere"}}, {"drop": null}`), false, "@nowhere"},
		{"nft jump to nowhere", printed(`{"jump": {"target": "nowhere"}}`), false, "nowhere"},
		{"nft queue", printed(`{"queue": {"num": 1}}`), false, "queue"},
		{"nft chain without a name", listing(base, "ip saddr 10.2.0.0/24 jump {", "drop", "}", "}"), false, "jump { drop }"},
		{"nft chain without a name, for others", listing(base, "ip saddr 10.9.0.0/24 jump {", "drop", "}", "}"), false, ""},
		{"chains in a circle", filter(open, ":A - [0:0]", "-A FORWARD -j A", "-A A -j A"), false, "-j A"},
		{"chains that double and double again", filter(append([]string{open, "-A FORWARD -j C0"}, doubling()...)...), false, "-j C"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseText(t, c.dump)
			if err != nil {
				t.Fatal(err)
			}
			v := r.Forward(forwarded(nil))
			var texts []string
			for _, rule := range v.Unsure {
				texts = append(texts, rule.Text)
			}
			got := strings.Join(texts, "\n")
			if v.Dropped != c.dropped || (got == "") != (c.unsure == "") || !strings.Contains(got, c.unsure) {
				t.Errorf("dropped %v, unsure of %q, want %v, %q", v.Dropped, got, c.dropped, c.unsure)
			}
		})
	}
}

// TestParseRefuses what is no dump.
func TestParseRefuses(t *testing.T) {
	for _, d := range []Dump{
		{NFT: "iptables-save: command not found\n"},
		{Legacy: "*filter\n-P FORWARD DROP\nCOMMIT\n"},
		{NFT6: "-A FORWARD -j ACCEPT\n"},
		{Ruleset: "Error: No such file or directory\n"},
		{Ruleset: `{"nftables": [{"table": {"family": "inet", "name": "d", "flags": `},
		{Ruleset: `{}`},
		{Ruleset: "table ip filter {\n}\n"},
	} {
		if _, err := Parse(d); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%+v: got %v", d, err)
		}
	}
}

// TestRuleString is what an operator reads.
func TestRuleString(t *testing.T) {
	r := Rule{Backend: "iptables-nft", Family: "ip", Table: "raw", Chain: "PREROUTING", Number: 2, Text: "-A PREROUTING -d 10.1.0.2/32 ! -i docker0 -j DROP"}
	want := "iptables-nft, table ip raw, chain PREROUTING, rule 2: -A PREROUTING -d 10.1.0.2/32 ! -i docker0 -j DROP"
	if got := r.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Number, r.Chain, r.Text = 0, "FORWARD", "policy DROP"
	if got, want := r.String(), "iptables-nft, table ip raw, chain FORWARD, policy DROP"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
