package kernel_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/kernel"
)

var (
	filterSeed  = flag.Uint64("filter.seed", 1, "seed of the random security groups")
	filterTries = flag.Int("filter.tries", 12, "how many sets of random security groups to try")
)

// TestKernelAgreesWithTheModel sends packets through random security groups and checks, and
// compares what arrives with what the simulator's model says of the same state.
func TestKernelAgreesWithTheModel(t *testing.T) {
	v := newVPC(t)
	ends := []*end{
		{eni: "eni-1", link: "p1", own: addrs("192.168.0.11 192.168.0.21 fd00::11"), container: addrs("172.20.1.1 fd20:1::1")},
		{eni: "eni-2", link: "p2", own: addrs("192.168.0.12 fd00::12"), container: addrs("172.20.2.1 fd20:2::1")},
		{eni: "eni-2b", link: "p2b", own: addrs("192.168.0.42 fd00::42"), container: addrs("172.20.4.1 fd20:4::1")},
		{eni: "eni-3", link: "p3", own: addrs("192.168.16.13 fd00:0:0:1::13"), container: addrs("172.20.3.1 fd20:3::1")},
	}
	came := &arrivals{seen: map[uint32]bool{}}
	ports := map[string]kernel.Port{}
	for _, e := range ends {
		e.ns = plugAll(t, v, e.link, texts(e.own), texts(e.container))
		came.listen(t, e, 7, 8)
		ports[e.eni] = kernel.Port{Link: e.link}
	}
	rng := rand.New(rand.NewPCG(*filterSeed, 0))
	var number uint32
	passed, lost := 0, 0
	for try := range *filterTries {
		seed := randomSeed(rng)
		sim, err := alisim.New(seed, alisim.Options{})
		must(t, err)
		world := sim.Snapshot()
		must(t, kernel.Pass(v.ns, v.handle, world, ports))
		var good, bad []probe
		for range 160 {
			number++
			p := randomProbe(rng, ends, number)
			if expected(world, ends, p) {
				good = append(good, p)
			} else {
				bad = append(bad, p)
			}
		}
		passed, lost = passed+len(good), lost+len(bad)
		came.send(t, bad)
		// Sent again until they come through: a busy machine may lose one, groups all.
		eventually(t, fmt.Sprintf("try %d: what the model lets pass arrives", try), func() bool {
			good = slices.DeleteFunc(good, func(p probe) bool { return came.has(p.number) })
			came.send(t, good)
			return len(good) == 0
		}, func() any { return good })
		for _, p := range bad {
			if came.has(p.number) {
				t.Errorf("try %d, -filter.seed=%d: arrived, and the model drops it: %s\n%+v", try, *filterSeed, p, world)
			}
		}
	}
	t.Logf("%d packets passed, %d were dropped", passed, lost)
	if passed < lost/20 || lost < passed/20 {
		t.Errorf("one-sided: %d packets passed, %d were dropped", passed, lost)
	}
}

// expected is what the model says of a packet: the check of source and destination of
// either interface, and the groups of either.
func expected(world alisim.Seed, ends []*end, p probe) bool {
	to := ends[slices.IndexFunc(ends, func(e *end) bool { return slices.Contains(e.all(), p.destination) })]
	_, out, _ := world.Hop(p.from.eni)
	_, in, _ := world.Hop(to.eni)
	if out.SourceDestCheck && !slices.Contains(out.Addresses(), p.source) || in.SourceDestCheck && !slices.Contains(in.Addresses(), p.destination) {
		return false
	}
	return world.Admits(out.ID, alisim.Egress, p.packet()) && world.Admits(in.ID, alisim.Ingress, p.packet())
}

// randomSeed is the VPC of the test with random security groups on its interfaces.
func randomSeed(rng *rand.Rand) alisim.Seed {
	seed := alisim.Example()
	seed.Keys = nil
	v := &seed.VPCs[0]
	v.IPv6 = netip.MustParsePrefix("fd00::/56")
	v.VSwitches[0].IPv6, v.VSwitches[1].IPv6 = netip.MustParsePrefix("fd00::/64"), netip.MustParsePrefix("fd00:0:0:1::/64")
	for n := range v.Tables {
		for k, hop := range map[string]string{"1": "i-1", "2": "i-2", "3": "i-3", "4": "eni-2b"} {
			r := alisim.Route{NextHop: hop, NextHopType: alisim.HopInstance}
			if k == "4" {
				r.NextHopType = alisim.HopInterface
			}
			for _, d := range []string{"172.20." + k + ".0/24", "fd20:" + k + "::/64"} {
				r.Destination = netip.MustParsePrefix(d)
				v.Tables[n].Routes = append(v.Tables[n].Routes, r)
			}
		}
	}
	kind := pick(rng, alisim.NormalGroup, alisim.NormalGroup, alisim.EnterpriseGroup)
	v.SecurityGroups = nil
	names := []string{"sg-1", "sg-2", "sg-3"}
	for _, id := range names {
		g := alisim.SecurityGroup{ID: id, Type: kind, InnerAccess: pick(rng, "Accept", "Accept", "Drop")}
		for range 2 + rng.IntN(6) {
			g.Ingress = append(g.Ingress, randomRule(rng, kind, names, alisim.Ingress))
		}
		for range rng.IntN(4) {
			g.Egress = append(g.Egress, randomRule(rng, kind, names, alisim.Egress))
		}
		if kind == alisim.EnterpriseGroup && rng.IntN(3) > 0 { // else hardly anything gets out
			g.Egress = append(g.Egress, alisim.Rule{Destination: netip.MustParsePrefix(pick(rng, "0.0.0.0/0", "0.0.0.0/0", "::/0")), Priority: 3})
		}
		v.SecurityGroups = append(v.SecurityGroups, g)
	}
	groups := func() []string {
		rng.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
		return slices.Clone(names[:1+rng.IntN(2)])
	}
	check := func() bool { return rng.IntN(9) == 0 }
	own := func(n int, ipv6 string) {
		i := &seed.Instances[n]
		i.IPv6, i.SecurityGroups, i.SourceDestCheck = addrs(ipv6), groups(), check()
	}
	own(0, "fd00::11")
	own(1, "fd00::12")
	own(2, "fd00:0:0:1::13")
	seed.Instances[0].MoreIPs = addrs("192.168.0.21")
	seed.Instances[1].Interfaces = []alisim.Interface{{
		ID: "eni-2b", IP: netip.MustParseAddr("192.168.0.42"), IPv6: addrs("fd00::42"), SecurityGroups: groups(), SourceDestCheck: check(),
	}}
	return seed
}

func randomRule(rng *rand.Rand, kind string, groups []string, d alisim.Direction) alisim.Rule {
	r := alisim.Rule{
		Protocol: pick(rng, "ALL", "TCP", "UDP", "ICMP", "ICMPV6", "GRE"),
		Policy:   pick(rng, "Accept", "Accept", "Accept", "Drop"), Priority: 1 + rng.IntN(3),
	}
	if r.Protocol == "TCP" || r.Protocol == "UDP" {
		r.Ports = pick(rng, "-1/-1", "1/65535", "7/7", "8/8", "6/7", "8/100", "300/400")
	}
	if kind == alisim.NormalGroup && rng.IntN(4) == 0 {
		r.Group = pick(rng, groups...)
		return r
	}
	peer := netip.MustParsePrefix(pick(rng, "0.0.0.0/0", "0.0.0.0/0", "::/0", "192.168.0.0/16", "192.168.0.8/29", "192.168.0.12/32",
		"172.20.0.0/16", "172.20.2.0/23", "172.20.1.1/32", "fd00::/56", "fd20::/16", "fd20:2::/31", "fd00::42/128"))
	if d == alisim.Egress {
		r.Destination = peer
	} else {
		r.Source = peer
	}
	return r
}

// randomProbe is a packet between two ends.
func randomProbe(rng *rand.Rand, ends []*end, number uint32) probe {
	from := rng.IntN(len(ends))
	to := (from + 1 + rng.IntN(len(ends)-1)) % len(ends)
	p := probe{
		number: number, from: ends[from], source: pick(rng, ends[from].all()...),
		protocol: pick(rng, "TCP", "UDP", "ICMP"), port: pick[uint16](rng, 7, 8),
	}
	if p.protocol == "ICMP" {
		p.port = 0
	}
	for !p.destination.IsValid() || p.destination.Is4() != p.source.Is4() {
		p.destination = pick(rng, ends[to].all()...)
	}
	return p
}

func pick[T any](rng *rand.Rand, all ...T) T { return all[rng.IntN(len(all))] }
