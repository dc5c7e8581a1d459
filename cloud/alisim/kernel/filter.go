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
func filterOf(world alisim.Seed, seats []seat, ports map[string]Port) filter {
	f := filter{vacant(seats, ports), map[string]int{}, map[string][]netip.Addr{}, map[alisim.Direction][]chain{}, map[alisim.Direction]map[string]int{}}
	for _, s := range seats {
		if s.link != "" {
			f.vpcs[s.link] = slices.IndexFunc(world.VPCs, func(v alisim.VPC) bool { return v.ID == s.vpc })
		}
		if s.link != "" && s.SourceDestCheck {
			f.own[s.link] = s.Addresses()
		}
	}
	for _, d := range directions() {
		f.asked[d] = map[string]int{}
		numbers := map[string]int{}
		for _, s := range seats {
			if s.link == "" || len(s.SecurityGroups) == 0 {
				continue
			}
			key := fmt.Sprint(s.vpc, slices.Sorted(slices.Values(s.SecurityGroups)))
			n, known := numbers[key]
			if !known {
				n = len(f.chains[d])
				numbers[key], f.chains[d] = n, append(f.chains[d], world.Verdicts(s.ID, d))
			}
			f.asked[d][s.link] = n
		}
	}
	return f
}

// vacant lists the links that lead to nobody: the instance is gone, stopped, or not there
// yet. A link that no port names is not the cloud's.
func vacant(seats []seat, ports map[string]Port) []string {
	links := map[string]bool{}
	for _, p := range ports {
		links[p.Link] = true
	}
	for _, s := range seats {
		if s.running {
			delete(links, s.link)
		}
	}
	delete(links, "")
	return slices.Sorted(maps.Keys(links))
}

func directions() []alisim.Direction { return []alisim.Direction{alisim.Egress, alisim.Ingress} }
