package kernel_test

import (
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/kernel"
)

// twoVPCs is the example with a second VPC, whose only instance lets everything in, and IPv6
// where the two are to have it.
func twoVPCs(ipv6 bool) alisim.Seed {
	seed := alisim.Example()
	seed.Keys = nil
	other := alisim.VPC{
		ID: "vpc-2", CIDR: netip.MustParsePrefix("10.0.0.0/16"), Tables: []alisim.Table{{ID: "vtb-o", System: true}},
		VSwitches: []alisim.VSwitch{{ID: "vsw-o", CIDR: netip.MustParsePrefix("10.0.0.0/20")}},
		SecurityGroups: []alisim.SecurityGroup{{ID: "sg-o", Ingress: []alisim.Rule{
			{Source: netip.MustParsePrefix("0.0.0.0/0")}, {Source: netip.MustParsePrefix("::/0")},
		}}},
	}
	alone := alisim.Instance{ID: "i-o", VSwitch: "vsw-o", IP: netip.MustParseAddr("10.0.0.11"), SecurityGroups: []string{"sg-o"}}
	if ipv6 {
		for n, v := range []*alisim.VPC{&seed.VPCs[0], &other} {
			v.IPv6 = netip.MustParsePrefix([]string{"fd00::/56", "fd01::/56"}[n])
			v.VSwitches[0].IPv6 = netip.PrefixFrom(v.IPv6.Addr(), 64)
		}
		seed.Instances[0].IPv6, alone.IPv6 = addrs("fd00::11"), addrs("fd01::11")
		open := &seed.VPCs[0].SecurityGroups[0]
		open.Ingress = append(open.Ingress, alisim.Rule{Source: netip.MustParsePrefix("::/0")})
	}
	seed.VPCs, seed.Instances = append(seed.VPCs, other), append(seed.Instances, alone)
	return seed
}

func TestVPCsDoNotReachOneAnother(t *testing.T) {
	v := newVPC(t)
	seed := twoVPCs(true)
	ends := []*end{
		{eni: "i-1", link: "p1", own: addrs("192.168.0.11 fd00::11")},
		{eni: "i-2", link: "p2", own: addrs("192.168.0.12")},
		{eni: "i-o", link: "po", own: addrs("10.0.0.11 fd01::11")},
		{eni: "manager", link: "vm", own: addrs("192.168.15.10 fd00::f:10")}, // no instance
	}
	came := &arrivals{seen: map[uint32]bool{}}
	for _, e := range ends {
		e.ns = plugAll(t, v, e.link, texts(e.own), nil)
		came.listen(t, e, 7)
	}
	lo, err := v.handle.LinkByName("lo")
	must(t, err)
	address(t, v.handle, lo, "100.100.100.200")
	echo(t, v, "100.100.100.200")
	ports := map[string]kernel.Port{"i-1": {Link: "p1"}, "i-2": {Link: "p2"}, "i-o": {Link: "po"}}
	sim, err := alisim.New(seed, alisim.Options{})
	must(t, err)
	must(t, kernel.Pass(v.ns, v.handle, sim.Snapshot(), ports))

	var number uint32
	probes := func(from, to *end) (all []probe) {
		for _, source := range from.own {
			for _, destination := range to.own {
				if source.Is4() == destination.Is4() {
					number++
					all = append(all, probe{number: number, from: from, source: source, destination: destination, protocol: "UDP", port: 7})
				}
			}
		}
		return all
	}
	one, two, alone, manager := ends[0], ends[1], ends[2], ends[3]
	lost := func(when string) {
		t.Helper()
		bad := append(probes(one, alone), probes(alone, one)...)
		came.send(t, bad)
		// What is sent after them has arrived.
		for _, pair := range [][2]*end{{one, two}, {manager, one}, {manager, alone}} {
			for _, p := range probes(pair[0], pair[1]) {
				eventually(t, when+": "+p.String(), func() bool {
					came.send(t, []probe{p})
					return came.has(p.number)
				})
			}
		}
		for _, p := range bad {
			if came.has(p.number) {
				t.Errorf("%s: arrived in another VPC: %s", when, p)
			}
		}
	}
	lost("by the tables and the ports")
	for _, e := range []*end{one, alone} {
		if !answers(t, e.ns, e.own[0].String(), "100.100.100.200") {
			t.Errorf("%s has no answer from the metadata service", e.eni)
		}
	}

	// Either of the two keeps them apart by itself.
	table := nft(t, v)
	for _, found := range tablesOf(t, table) {
		table.DelTable(found)
	}
	must(t, table.Flush())
	lost("by the tables alone")
	must(t, kernel.Pass(v.ns, v.handle, sim.Snapshot(), ports))
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rules, err := v.handle.RuleList(family)
		must(t, err)
		for _, r := range rules {
			if r.Protocol == 201 {
				must(t, v.handle.RuleDel(&r))
			}
		}
	}
	lost("by the ports alone")
}

// TestTableEndsWhereItsEntriesDo: what no entry leads to is lost, but for a custom entry of
// everything, and the router's own packets reach every VPC.
func TestTableEndsWhereItsEntriesDo(t *testing.T) {
	v := newVPC(t)
	for link, ips := range map[string][]string{"p1": {"192.168.0.11", "fd00::11"}, "po": {"10.0.0.11", "fd01::11"}} {
		plugAll(t, v, link, ips, nil)
	}
	sim, err := alisim.New(twoVPCs(true), alisim.Options{})
	must(t, err)
	ports := map[string]kernel.Port{"i-1": {Link: "p1"}, "i-o": {Link: "po"}}
	ends := func(when string, want int) {
		t.Helper()
		must(t, kernel.Pass(v.ns, v.handle, sim.Snapshot(), ports))
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			for table, want := range map[int]int{1000: want, 1001: unix.RTN_BLACKHOLE, 1002: unix.RTN_BLACKHOLE} {
				found, err := v.handle.RouteListFiltered(family, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
				must(t, err)
				var kinds []int
				for _, r := range found {
					if size, _ := r.Dst.Mask.Size(); size == 0 {
						kinds = append(kinds, r.Type)
					}
				}
				if len(kinds) != 1 || kinds[0] != want {
					t.Errorf("%s: table %d of family %d ends with %v, want %d", when, table, family, kinds, want)
				}
			}
		}
		for _, ip := range []string{"10.0.0.11", "fd01::11"} {
			if got, err := v.handle.RouteGet(host(ip).IP); err != nil || got[0].Gw != nil {
				t.Errorf("%s: the router's way to %s: %v, %v", when, ip, got, err)
			}
		}
	}
	ends("without an entry of everything", unix.RTN_BLACKHOLE)
	for _, d := range []string{"0.0.0.0/0", "::/0"} {
		must(t, sim.AddRoute("vtb-1", alisim.Route{Destination: netip.MustParsePrefix(d), NextHop: "i-1"}))
	}
	ends("with one", unix.RTN_UNICAST)
	for _, d := range []string{"0.0.0.0/0", "::/0"} {
		must(t, sim.RemoveRoute("vtb-1", netip.MustParsePrefix(d)))
	}
	ends("when it is gone", unix.RTN_BLACKHOLE)
}
