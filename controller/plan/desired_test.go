package plan

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/api"
)

func TestMissingHostsGetNothingNew(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		hosts := hostsByID(c.hosts)
		for _, change := range c.plan().Changes {
			h := hosts[change.Route.Mark.Host]
			if change.Verb != api.Delete && change.Reason != api.ReasonResealed && h.Life == api.LifeMissing {
				t.Fatalf("%s, and the cloud does not know %s", change, h.Label())
			}
		}
	})
}

func TestAge(t *testing.T) {
	p := prefix("10.0.0.0/24")
	claim := func(by api.InstanceID, text string, revision int64) api.Claim {
		return api.Claim{Instance: by, Prefix: prefix(text), Revision: revision}
	}
	for _, tt := range []struct {
		name   string
		claims []api.Claim
		want   int64
	}{
		{"no claim", nil, math.MaxInt64},
		{"own", []api.Claim{claim("i-1", "10.0.0.0/24", 7)}, 7},
		{"another host's", []api.Claim{claim("i-2", "10.0.0.0/24", 7)}, math.MaxInt64},
		{"for a wider prefix", []api.Claim{claim("i-1", "10.0.0.0/23", 7)}, math.MaxInt64},
	} {
		h := newHost("i-1", p, 0)
		h.Claims = tt.claims
		if got := claimAge(&h, p); got != tt.want {
			t.Errorf("%s: age %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestOverlapping(t *testing.T) {
	var granted trie
	for _, p := range prefixes("10.0.0.0/24", "10.0.2.0/23", "10.0.2.0/25", "255.255.255.255/32",
		"fd00::/64", "fd00:0:0:2::/63", "fd00:0:0:2::/80", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128") {
		granted.insert(claim{prefix: p})
	}
	for prefixText, want := range map[string]string{
		"10.0.0.0/24":        "10.0.0.0/24",
		"10.0.0.128/25":      "10.0.0.0/24",
		"10.0.0.0/8":         "10.0.0.0/24", // the first inside
		"10.0.2.0/26":        "10.0.2.0/23", // the widest around
		"10.0.3.0/24":        "10.0.2.0/23",
		"255.255.255.254/31": "255.255.255.255/32",
		"0.0.0.0/0":          "10.0.0.0/24",
		"10.0.1.0/24":        "",
		"11.0.0.0/8":         "",
		"255.255.255.254/32": "",

		"fd00::/64":           "fd00::/64",
		"fd00::1:0:0:0/80":    "fd00::/64",
		"fd00::/8":            "fd00::/64",
		"fd00:0:0:3::/64":     "fd00:0:0:2::/63",
		"::/0":                "fd00::/64",
		"ff00::/8":            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		"fd00:0:0:1::/64":     "",
		"a00::/24":            "", // the bits of 10.0.0.0/24
		"::ffff:10.0.0.0/120": "",
		"::/96":               "",
	} {
		got := ""
		if c := granted.overlapping(prefix(prefixText)); c != nil {
			got = c.prefix.String()
		}
		if got != want {
			t.Errorf("%s overlaps %q, want %q", prefixText, got, want)
		}
	}
}
