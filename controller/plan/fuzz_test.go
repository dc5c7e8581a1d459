package plan

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
)

// FuzzPlan decides over clusters read from bytes, with any prefixes at all: no panic, and
// laws 3 (foreign routes), 11 (ranges) and 12 (what is applied is not planned again) hold.
func FuzzPlan(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		c := clusterFrom(data)
		p, want := c.decide()
		foreignIsSafe(t, p, want, c.have)
		onlyOurRanges(t, p, c.rules)
		have, err := apply(p, c.have)
		if err != nil {
			t.Fatalf("the plan cannot be applied: %v\n%s", err, p)
		}
		c.have = have
		if again := c.plan(); len(p.Held) == 0 && len(again.Changes) > 0 {
			t.Fatalf("applied\n%s\nand planned again\n%s", p, again)
		}
	})
}

// clusterFrom reads records of seven bytes: what it is, whose, how, and a prefix of either
// family. A prefix
// keeps its host bits where the registry could deliver them, in reports.
func clusterFrom(data []byte) cluster {
	c := cluster{
		rules: Rules{Cluster: ours, VPC: vpc, Tables: []api.TableID{"vtb-0", "vtb-1"}},
		guard: Guard{Cluster: ours, Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true, Deletes: api.GuardConfig{MaxDeletes: 3}},
	}
	hosts, places := map[api.InstanceID]int{}, map[api.RouteKey]bool{}
	for ; len(data) >= 7; data = data[7:] {
		id, how := api.InstanceID(fmt.Sprintf("i-%d", data[1]%16)), int(data[2])
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte(data[3:7])), how%33)
		if how >= 128 {
			p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0: data[3], 1: data[4], 7: data[5], 15: data[6]}), how-127)
		}
		switch data[0] % 5 {
		case 0, 1:
			i, known := hosts[id]
			if !known {
				i = len(c.hosts)
				hosts[id] = i
				c.hosts = append(c.hosts, api.Host{Report: api.Report{Instance: id, VPC: vpc}})
			}
			h := &c.hosts[i]
			h.Life = lives()[int(data[1]>>4)%len(lives())]
			h.Subnets = append(h.Subnets, api.Subnet{Prefix: p})
			if data[0] >= 128 {
				h.Claims = append(h.Claims, api.Claim{Prefix: p, Instance: id, Revision: int64(how)})
			}
		case 2:
			r := api.Route{Table: api.TableID(fmt.Sprintf("vtb-%d", data[0]>>4%3)), Destination: p.Masked(), NextHop: string(id)}
			if owner := data[1] >> 4; owner < 12 {
				r.Mark = api.Mark{Cluster: ours, Host: api.InstanceID(fmt.Sprintf("i-%d", owner))}
			}
			if !places[r.Key()] {
				places[r.Key()] = true
				c.have = append(c.have, r)
			}
		case 3:
			c.rules.Pools = append(c.rules.Pools, p.Masked())
			c.guard.Pools = c.rules.Pools
		case 4:
			c.rules.VSwitches = append(c.rules.VSwitches, VSwitch{api.VSwitchID(id), p.Masked()})
		}
	}
	return c
}

func lives() []api.Life {
	return []api.Life{
		api.LifeAlive, api.LifeGone, api.LifeLeft, api.LifeMissing, api.LifeSilent, api.LifeStopped, api.LifeRegistered,
	}
}
