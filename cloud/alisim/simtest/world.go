package simtest

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

// NewFull is a simulator with this many custom entries in vtb-1 and instances in all.
func NewFull(t *testing.T, opts alisim.Options, entries, instances int) *alisim.Sim {
	t.Helper()
	return New(t, opts, func(s *alisim.Seed) {
		for n := range entries {
			s.VPCs[0].Tables[0].Routes = append(s.VPCs[0].Tables[0].Routes, alisim.Route{
				Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 20, byte(n), 0}), 24), NextHop: "i-1",
			})
		}
		for n := len(s.Instances); n < instances; n++ {
			s.Instances = append(s.Instances, alisim.Instance{
				ID: fmt.Sprintf("i-many-%03d", n), VSwitch: "vsw-1", IP: netip.AddrFrom4([4]byte{192, 168, 1, byte(n)}),
			})
		}
	})
}

// CustomEntries lists the custom entries of vtb-1 as lines "destination hop state".
func CustomEntries(sim *alisim.Sim) []string {
	var out []string
	for _, r := range sim.Routes("vtb-1") {
		if !r.System {
			out = append(out, fmt.Sprintf("%s %s %s", r.Destination, r.NextHop, r.State))
		}
	}
	return out
}
