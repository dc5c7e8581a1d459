package kernel_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/kernel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drive runs the driver for the example seed's instances until the test ends.
func drive(t *testing.T, v namespace, opts alisim.Options) *alisim.Sim {
	t.Helper()
	seed := alisim.Example()
	seed.Keys = nil // requests need no signature
	group := &seed.VPCs[0].SecurityGroups[0]
	group.Ingress = append(group.Ingress, alisim.Rule{Source: netip.MustParsePrefix("172.20.0.0/16")})
	sim, err := alisim.New(seed, opts)
	must(t, err)
	ports := func() map[string]kernel.Port {
		return map[string]kernel.Port{"i-1": {Link: "p1"}, "i-2": {Link: "p2"}, "i-3": {Link: "p3"}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- kernel.Drive(ctx, sim, kernel.Options{Namespace: v.path(), Ports: ports}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return sim
}

func TestPacketsFollowTheTables(t *testing.T) {
	v := newVPC(t)
	one := plug(t, v, "p1", "192.168.0.11", "172.20.1.1")
	two := plug(t, v, "p2", "192.168.0.12", "172.20.2.1")
	three := plug(t, v, "p3", "192.168.16.13", "172.20.3.1")
	sim := drive(t, v, alisim.Options{})
	echo(t, one, "172.20.1.1")
	echo(t, two, "172.20.2.1")
	echo(t, two, "192.168.0.12")
	if answers(t, one, "172.20.1.1", "172.20.2.1") {
		t.Fatal("packets arrive without a route")
	}

	for _, r := range []struct{ table, destination, hop string }{
		{"vtb-1", "172.20.1.0/24", "i-1"},
		{"vtb-1", "172.20.2.0/24", "i-2"},
		{"vtb-1", "172.20.3.0/24", "i-3"},
		// Contains vSwitches, whose instances must stay within reach.
		{"vtb-1", "192.168.0.0/16", "i-3"},
	} {
		must(t, sim.AddRoute(r.table, alisim.Route{Destination: netip.MustParsePrefix(r.destination), NextHop: r.hop}))
	}
	eventually(t, "container to container on one table", func() bool { return answers(t, one, "172.20.1.1", "172.20.2.1") })
	eventually(t, "host to host beside a route that contains both", func() bool { return answers(t, one, "192.168.0.11", "192.168.0.12") })
	if answers(t, three, "172.20.3.1", "172.20.2.1") {
		t.Error("a host on the other table uses the first table's routes")
	}

	must(t, sim.AddRoute("vtb-2", alisim.Route{Destination: netip.MustParsePrefix("172.20.2.0/24"), NextHop: "i-2"}))
	eventually(t, "container to container across tables", func() bool { return answers(t, three, "172.20.3.1", "172.20.2.1") })

	must(t, sim.SetStatus("i-2", alisim.Stopped))
	eventually(t, "traffic to a stopped host is lost", func() bool { return !answers(t, one, "172.20.1.1", "172.20.2.1") })
	must(t, sim.SetStatus("i-2", alisim.Running))
	eventually(t, "and comes back", func() bool { return answers(t, one, "172.20.1.1", "172.20.2.1") })
}

func TestKernelIsMadeLikeTheSimulator(t *testing.T) {
	v := newVPC(t)
	for link, ip := range map[string]string{"p1": "192.168.0.11", "p2": "192.168.0.12"} {
		plug(t, v, link, ip)
	}
	// Ours from before, and foreign: only the first goes.
	left := netlink.Route{Table: 1000, Protocol: 201, Type: unix.RTN_BLACKHOLE, Dst: ipNet("172.20.9.0/24")}
	foreign := netlink.Route{Table: 1000, Protocol: unix.RTPROT_STATIC, Type: unix.RTN_BLACKHOLE, Dst: ipNet("172.20.8.0/24")}
	must(t, v.handle.RouteAdd(&left))
	must(t, v.handle.RouteAdd(&foreign))

	sim := drive(t, v, alisim.Options{})
	d := netip.MustParsePrefix("172.20.5.0/24")
	kind := func(cidr string) int {
		found, err := v.handle.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: 1000}, netlink.RT_FILTER_TABLE)
		must(t, err)
		for _, r := range found {
			if r.Dst.String() == cidr {
				return r.Type
			}
		}
		return 0
	}
	via := func(hop string) bool {
		found, err := v.handle.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: 1000}, netlink.RT_FILTER_TABLE)
		must(t, err)
		for _, r := range found {
			if r.Dst.String() == d.String() && r.Gw.String() == hop {
				return true
			}
		}
		return false
	}
	eventually(t, "what was left over is gone", func() bool { return kind("172.20.9.0/24") == 0 })
	eventually(t, "vSwitches fall through to main", func() bool { return kind("192.168.0.0/20") == unix.RTN_THROW })
	must(t, sim.AddRoute("vtb-1", alisim.Route{Destination: d, NextHop: "i-1"}))
	eventually(t, "a route is laid", func() bool { return via("192.168.0.11") })
	must(t, sim.PointRoute("vtb-1", d, "i-2"))
	eventually(t, "its next hop is changed", func() bool { return via("192.168.0.12") })
	must(t, sim.PointRoute("vtb-1", d, "i-9"))
	eventually(t, "an unknown next hop is a blackhole", func() bool { return kind(d.String()) == unix.RTN_BLACKHOLE })
	must(t, sim.RemoveRoute("vtb-1", d))
	eventually(t, "a removed route goes", func() bool { return kind(d.String()) == 0 })
	if kind("172.20.8.0/24") != unix.RTN_BLACKHOLE {
		t.Error("a foreign route was removed")
	}
	rules, err := v.handle.RuleList(netlink.FAMILY_V4)
	must(t, err)
	tables := map[string]int{}
	for _, r := range rules {
		if r.Protocol == 201 {
			tables[r.IifName] = r.Table
		}
	}
	if tables["p1"] != 1000 || tables["p2"] != 1000 || tables["p3"] != 1001 {
		t.Errorf("rules by port: %v", tables)
	}
}

// TestTasksAndTables: an entry counts from when its task ends, without anybody asking, and a
// vSwitch that moves to another table takes its instances along.
func TestTasksAndTables(t *testing.T) {
	v := newVPC(t)
	one := plug(t, v, "p1", "192.168.0.11", "172.20.1.1")
	two := plug(t, v, "p2", "192.168.0.12", "172.20.2.1")
	const taskTime = 300 * time.Millisecond
	sim := drive(t, v, alisim.Options{TaskTime: taskTime})
	echo(t, two, "172.20.2.1")
	must(t, sim.AddRoute("vtb-1", alisim.Route{Destination: netip.MustParsePrefix("172.20.1.0/24"), NextHop: "i-1"}))
	must(t, sim.AddRoute("vtb-2", alisim.Route{Destination: netip.MustParsePrefix("172.20.1.0/24"), NextHop: "i-1"}))

	start := time.Now()
	call(t, sim, "Action=CreateRouteEntry&RouteTableId=vtb-1&DestinationCidrBlock=172.20.2.0/24&NextHopId=i-2")
	eventually(t, "the entry counts", func() bool { return answers(t, one, "172.20.1.1", "172.20.2.1") })
	if took := time.Since(start); took < taskTime {
		t.Errorf("a Pending entry carried a packet after %v", took)
	}
	call(t, sim, "Action=AssociateRouteTable&RouteTableId=vtb-2&VSwitchId=vsw-1")
	eventually(t, "the other table counts", func() bool { return !answers(t, one, "172.20.1.1", "172.20.2.1") })
}

// call sends one request to the simulated API.
func call(t *testing.T, sim *alisim.Sim, query string) {
	t.Helper()
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?Version=2016-04-28&"+query, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
}

func TestDriveNeedsItsNamespace(t *testing.T) {
	sim, err := alisim.New(alisim.Example(), alisim.Options{})
	must(t, err)
	if err := kernel.Drive(t.Context(), sim, kernel.Options{Namespace: "/nowhere/ns"}); err == nil {
		t.Error("no error for a namespace that is not there")
	}
}
