package steady_test

import (
	"net/netip"
	"testing"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/steady"
)

func TestForeign(t *testing.T) {
	set := func(flags, elem string) firewall.Dump {
		return firewall.Dump{Ruleset: `{"nftables": [{"set": {"family": "inet", "name": "s", "table": "t", "handle": 3, "flags": [` + flags + `], "elem": [` + elem + `]}}]}`}
	}
	base := firewall.Dump{NFT: "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j X\nCOMMIT\n"}
	for name, tt := range map[string]struct {
		a, b firewall.Dump
		same bool
	}{
		"counted":           {base, firewall.Dump{NFT: "# on Monday\n*filter\n:FORWARD DROP [7:900]\n-A FORWARD -j X\nCOMMIT\n"}, true},
		"ours":              {base, firewall.Dump{NFT: "*filter\n:FORWARD DROP [0:0]\n:SEALANE-FWD - [0:0]\n-A FORWARD -j SEALANE-FWD\n-A FORWARD -j X\nCOMMIT\n"}, true},
		"a policy":          {base, firewall.Dump{NFT: "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j X\nCOMMIT\n"}, false},
		"a rule":            {base, firewall.Dump{NFT: "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"}, false},
		"an element":        {set(``, `"10.0.0.1"`), set(``, `"10.0.0.2"`), false},
		"what packets add":  {set(`"dynamic"`, `"10.0.0.1"`), set(`"dynamic"`, `"10.0.0.2"`), true},
		"what times out":    {set(`"timeout"`, `{"elem": {"val": "10.0.0.1", "expires": 3}}`), set(`"timeout"`, ``), true},
		"an ipset":          {firewall.Dump{}, firewall.Dump{Sets: map[string][]netip.Prefix{"s": {netip.MustParsePrefix("10.0.0.0/8")}}}, false},
		"an ipset of ours":  {firewall.Dump{}, firewall.Dump{Sets: map[string][]netip.Prefix{"sealane-local": {netip.MustParsePrefix("10.0.0.0/8")}}}, true},
		"another handle":    {firewall.Dump{Ruleset: `{"nftables": [{"rule": {"table": "t", "handle": 4, "expr": [{"counter": {"packets": 1, "bytes": 2}}]}}]}`}, firewall.Dump{Ruleset: `{"nftables": [{"rule": {"table": "t", "handle": 5, "expr": [{"counter": {"packets": 3, "bytes": 9}}]}}]}`}, true},
		"a table":           {firewall.Dump{}, firewall.Dump{Ruleset: `{"nftables": [{"table": {"family": "inet", "name": "fw"}}]}`}, false},
		"a table of ours":   {firewall.Dump{}, firewall.Dump{Ruleset: `{"nftables": [{"metainfo": {"version": "1"}}, {"table": {"family": "inet", "name": "sealane"}}]}`}, true},
		"what was not read": {firewall.Dump{}, firewall.Dump{Unread: []firewall.Unread{{Source: "nftables", Reason: "no nft"}}}, false},
	} {
		if same := steady.Foreign(tt.a) == steady.Foreign(tt.b); same != tt.same {
			t.Errorf("%s: the same %t, want %t", name, same, tt.same)
		}
	}
}
