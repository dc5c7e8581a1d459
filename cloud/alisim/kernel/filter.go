package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/cloud/alisim"
)

// filter says which packets the ports let pass: whether anybody is there, whose VPC it is,
// the check of source and destination, and the security groups.
type filter struct {
	vacant []string                            // links of ports without a Running instance
	vpcs   map[string]int                      // number of the VPC that a link is in
	own    map[string][]netip.Addr             // of each link whose interface has the check on: its addresses
	chains map[alisim.Direction][]chain        // what security groups decide
	asked  map[alisim.Direction]map[string]int // link to the number of its chain
}

// chain is what the groups of an interface come to in one direction; the first verdict
// that matches decides. Interfaces with the same groups share it, so that there are as many
// verdicts to go through as the groups have rules, however many hosts there are.
type chain []alisim.Verdict

// filterOf says what the filter should be for a state of the simulator.
func filterOf(world alisim.Seed, ports []port, links map[string]Port) filter {
	f := filter{vacantLinks(ports, links), map[string]int{}, map[string][]netip.Addr{}, map[alisim.Direction][]chain{}, map[alisim.Direction]map[string]int{}}
	for _, p := range ports {
		if p.link != "" {
			f.vpcs[p.link] = slices.IndexFunc(world.VPCs, func(v alisim.VPC) bool { return v.ID == p.vpc })
		}
		if p.link != "" && p.SourceDestCheck {
			f.own[p.link] = p.Addresses()
		}
	}
	for _, d := range directions() {
		f.asked[d] = map[string]int{}
		numbers := map[string]int{}
		for _, p := range ports {
			if p.link == "" || len(p.SecurityGroups) == 0 {
				continue
			}
			key := fmt.Sprint(p.vpc, slices.Sorted(slices.Values(p.SecurityGroups)))
			n, known := numbers[key]
			if !known {
				n = len(f.chains[d])
				numbers[key], f.chains[d] = n, append(f.chains[d], world.Verdicts(p.ID, d))
			}
			f.asked[d][p.link] = n
		}
	}
	return f
}

// vacantLinks lists the links that lead to nobody: the instance is gone, stopped, or not there
// yet. A link that no port names is not the cloud's.
func vacantLinks(ports []port, links map[string]Port) []string {
	vacant := map[string]bool{}
	for _, at := range links {
		vacant[at.Link] = true
	}
	for _, p := range ports {
		if p.running {
			delete(vacant, p.link)
		}
	}
	delete(vacant, "")
	return slices.Sorted(maps.Keys(vacant))
}

func directions() []alisim.Direction { return []alisim.Direction{alisim.Egress, alisim.Ingress} }
