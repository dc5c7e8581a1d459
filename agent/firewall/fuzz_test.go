package firewall

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
)

// FuzzParse: no text makes Parse or Forward panic or hang, and what Parse refuses is invalid.
func FuzzParse(f *testing.F) {
	for _, one := range fixtures(f) {
		if one.engine < "29" && one.state != "agent-applied" && one.backend != "legacy" {
			continue // the seeds need not be many
		}
		d := one.dump(f)
		f.Add(d.NFT+d.Legacy, d.Ruleset)
	}
	f.Add("*filter\n:FORWARD DROP [0:0]\n:A - [0:0]\n-A FORWARD -j A\n-A A -j A\n-A A -g A\nCOMMIT\n",
		`{"nftables": [{"set": {"family": "inet", "name": "s", "table": "t", "type": "ipv4_addr", "elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, {"elem": {"val": {"range": ["10.1.0.1", "10.1.0.9"]}, "timeout": 3600}}]}},
			{"chain": {"family": "inet", "table": "t", "name": "c", "type": "nat", "hook": "forward", "prio": -1, "policy": "drop"}},
			{"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@s"}},
			{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["new", {"jump": {"target": "c"}}], ["established", {"accept": null}]]}}}]}}]}`)
	f.Fuzz(func(t *testing.T, save, listing string) {
		r, err := Parse(Dump{NFT: save, NFT6: save, Legacy: save, Ruleset: listing})
		if err != nil {
			if !errors.Is(err, api.ErrInvalid) {
				t.Errorf("%v is of no kind", err)
			}
			return
		}
		for _, dst := range []string{"10.1.0.2", "fd10:1::2"} {
			a := netip.MustParseAddr(dst)
			for _, state := range []string{"new", "established"} {
				p := tcp("eth0", "docker0", a.Prev(), a, 80)
				p.State = state
				v := r.Forward(p)
				if v.Dropped != (v.By != Rule{}) {
					t.Errorf("dropped %v by %v", v.Dropped, v.By)
				}
				p.In, p.ToHost = "", true
				r.Forward(p)
				whole := []netip.Prefix{netip.PrefixFrom(a, a.BitLen()-4).Masked()}
				if len(r.Outcomes(Flow{In: "eth0", Out: "docker0", From: whole, To: whole, State: state})) == 0 {
					t.Error("no outcome")
				}
			}
		}
	})
}
