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
		"table inet t {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.0/8,\n\t\t\t     10.1.0.1-10.1.0.9 timeout 1h }\n\t}\n\tchain c {\n\t\ttype nat hook forward priority filter - 1; policy drop;\n\t\tip saddr != @s ct state vmap { new : jump c, established : accept }\n\t}\n}\n")
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
			}
		}
	})
}
