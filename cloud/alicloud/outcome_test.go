package alicloud

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
)

// What the provider says that groups let through is what the simulator lets through, packet
// by packet: an address is admitted only if no kind of packet of it is dropped, and always
// then, but where a rule that accepts some kinds saves them from one that drops them.
func TestAdmitsWhatIsLetThrough(t *testing.T) {
	r := newRig(t)
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		if rapid.IntRange(0, 5).Draw(t, "family") == 0 {
			return netip.PrefixFrom(netip.MustParseAddr("fd00::"), rapid.IntRange(0, 8).Draw(t, "bits6")).Masked()
		}
		a := netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "last")})
		return netip.PrefixFrom(a, rapid.SampledFrom([]int{0, 8, 24, 25, 26, 28, 32}).Draw(t, "bits")).Masked()
	})
	rule := rapid.Custom(func(t *rapid.T) cloudtest.Rule {
		r := cloudtest.Rule{
			Egress: rapid.Bool().Draw(t, "egress"), Drop: rapid.Bool().Draw(t, "drop"),
			Peer: prefix.Draw(t, "peer"), Priority: rapid.IntRange(1, 4).Draw(t, "priority"),
		}
		if rapid.IntRange(0, 3).Draw(t, "narrow") == 0 {
			r.Protocol, r.Ports = "TCP", rapid.SampledFrom([]string{"22/22", "1/65535"}).Draw(t, "ports")
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		i := cloudtest.Small().Instances[0]
		i.Groups = nil
		saved := false
		kind := map[bool]string{true: "enterprise", false: "normal"}
		enterprise := rapid.Bool().Draw(t, "enterprise")
		for n := range rapid.IntRange(1, 3).Draw(t, "groups") {
			id := api.GroupID(fmt.Sprintf("sg-%s-%d", kind[enterprise], n))
			rules := rapid.SliceOfN(rule, 0, 5).Draw(t, "rules")
			saved = saved || slices.ContainsFunc(rules, func(r cloudtest.Rule) bool { return r.Ports != "" && !r.Drop })
			hand{r.sim}.SetGroup(cloudtest.Group{ID: id, Enterprise: enterprise, Rules: rules})
			i.Groups = append(i.Groups, id)
		}
		hand{r.sim}.AddInstance(i)
		found, err := r.Instances(context.Background(), []api.InstanceID{i.ID})
		if err != nil || len(found) != 1 {
			t.Fatalf("got %v, %v", found, err)
		}
		now := r.sim.Snapshot()
		for way, openings := range map[alisim.Direction][]cloud.Opening{alisim.Ingress: found[0].MayAdmit, alisim.Egress: found[0].MayEmit} {
			for _, peer := range peers() {
				open := cloud.Opens(openings, netip.PrefixFrom(peer, peer.BitLen()), nil)
				if want := now.Admits(string(i.Interface.ID), way, alisim.Packet{Protocol: "TCP", Port: 8080, Source: peer, Destination: peer}); want != open {
					t.Fatalf("%s %s: open in %v is %t; the simulator lets its TCP through: %t", way, peer, openings, open, want)
				}
			}
		}
		for way, through := range map[alisim.Direction][]netip.Prefix{alisim.Ingress: found[0].Admits, alisim.Egress: found[0].Emits} {
			for _, peer := range peers() {
				want := letThrough(now, string(i.Interface.ID), way, peer)
				got := slices.ContainsFunc(through, func(p netip.Prefix) bool { return p.Contains(peer) })
				if got && !want || !got && want && !saved {
					t.Fatalf("%s %s: in %v is %t; the simulator lets it through: %t", way, peer, through, got, want)
				}
			}
		}
	})
}

func peers() []netip.Addr {
	all := []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("10.1.0.0"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("ff00::1"), netip.MustParseAddr("1::1")}
	for n := range 64 {
		all = append(all, netip.AddrFrom4([4]byte{10, 0, 0, byte(4 * n)}), netip.AddrFrom4([4]byte{10, 0, 0, byte(4*n + 1)})) //nolint:gosec // below 256
	}
	return all
}

// letThrough asks the simulator for every kind of packet that a rule of the test is about.
func letThrough(s alisim.Seed, eni string, d alisim.Direction, peer netip.Addr) bool {
	return !slices.ContainsFunc(kinds(peer), func(p alisim.Packet) bool { return !s.Admits(eni, d, p) })
}

func kinds(peer netip.Addr) []alisim.Packet {
	all := []alisim.Packet{{Protocol: "TCP", Port: 22}, {Protocol: "TCP", Port: 80}, {Protocol: "UDP", Port: 22}, {Protocol: "ICMP"}}
	for i := range all {
		all[i].Source, all[i].Destination = peer, peer
	}
	return all
}
