package plan_test

import (
	"fmt"
	"net/netip"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/controller/plan"
)

func host(id api.InstanceID, subnet string, age int64) api.Host {
	p := netip.MustParsePrefix(subnet)
	return api.Host{
		Report: api.Report{Instance: id, VPC: "vpc-1", Subnets: []api.Subnet{{Prefix: p, Bridge: "docker0"}}},
		Life:   api.LifeAlive,
		Claims: []api.Claim{{Prefix: p, Instance: id, Revision: age}},
	}
}

// Two hosts have a subnet each; a third one has the first one's.
func Example() {
	pools := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	hosts := []api.Host{host("i-aaa", "10.0.0.0/24", 1), host("i-bbb", "10.1.0.0/24", 2), host("i-ccc", "10.0.0.0/24", 3)}

	want, conflicts := plan.Desired(hosts, nil, plan.Rules{
		Cluster: "lab", VPC: "vpc-1", Pools: pools, Tables: []api.TableID{"vtb-1"},
	})
	p := plan.Diff(want, nil, plan.Guard{
		Cluster: "lab", Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true, Pools: pools, Hosts: hosts,
	})
	p.Conflicts = conflicts
	fmt.Print(p)
	// Output:
	// create 10.0.0.0/24 -> i-aaa in vtb-1: new-subnet
	// create 10.1.0.0/24 -> i-bbb in vtb-1: new-subnet
	// refused 10.0.0.0/24 of i-ccc: overlaps-claim (10.0.0.0/24 is held by i-aaa)
}

// Nothing proves that i-aaa let its subnet go: its record is not there. The route stays.
func ExampleDiff_noEvidence() {
	have := []api.Route{{
		Table: "vtb-1", Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: "i-aaa",
		State: api.RouteAvailable, Mark: api.Mark{Cluster: "lab", Host: "i-aaa"},
	}}
	fmt.Print(plan.Diff(nil, have, plan.Guard{
		Cluster: "lab", Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true,
		Pools: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}))
	// Output:
	// held delete 10.0.0.0/24 -> i-aaa in vtb-1: no-evidence (i-aaa is not in the registry)
}
