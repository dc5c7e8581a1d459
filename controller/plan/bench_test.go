package plan

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
)

// BenchmarkPlan1000Hosts decides for 1000 hosts with a subnet each in two tables: settled,
// new (nothing written yet), and all claiming the same subnet.
func BenchmarkPlan1000Hosts(b *testing.B) {
	settled, fresh, same := thousandHosts(), thousandHosts(), thousandHosts()
	settled.have, _ = apply(settled.plan(), nil)
	for i := range same.hosts {
		same.hosts[i].Subnets = same.hosts[0].Subnets
	}
	for name, c := range map[string]cluster{"settled": settled, "new": fresh, "same": same} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p := c.plan(); (name == "settled") != p.IsEmpty() {
					b.Fatalf("unexpected plan:\n%s", p)
				}
			}
		})
	}
}

func thousandHosts() cluster {
	c := cluster{
		rules: Rules{Cluster: ours, VPC: vpc, Pools: prefixes("10.0.0.0/8"), Tables: []api.TableID{"vtb-1", "vtb-2"}},
		guard: Guard{Cluster: ours, Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true, Pools: prefixes("10.0.0.0/8")},
	}
	for i := range 100 {
		cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i), 0}), 24)
		c.rules.VSwitches = append(c.rules.VSwitches, VSwitch{api.VSwitchID(fmt.Sprintf("vsw-%d", i)), cidr})
	}
	for i := range 1000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		c.hosts = append(c.hosts, newHost(api.InstanceID(fmt.Sprintf("i-%04d", i)), p, int64(i+1)))
	}
	return c
}
