package alisim_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

func TestHandsWorkAtOnceAndWake(t *testing.T) {
	sim := newSim(t, alisim.Options{TaskTime: 1 << 40})
	good(t, sim, "CreateRouteEntry", entry("172.20.9.0/24")) // a task runs for all of the test
	d := netip.MustParsePrefix("172.20.1.0/24")
	steps := []struct {
		name string
		do   func() error
		want []string
	}{
		{"add", func() error { return sim.AddRoute("vtb-1", alisim.Route{Destination: d, NextHop: "i-1"}) }, []string{"172.20.1.0/24 i-1 Available"}},
		{"point", func() error { return sim.PointRoute("vtb-1", d, "i-2") }, []string{"172.20.1.0/24 i-2 Available"}},
		{"remove", func() error { return sim.RemoveRoute("vtb-1", d) }, nil},
		{"stop", func() error { return sim.SetStatus("i-2", alisim.Stopped) }, nil},
		{"check", func() error { return sim.SetSourceDestCheck("i-2", true) }, nil},
	}
	for _, step := range steps {
		changed := sim.Changed()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		select {
		case <-changed:
		default:
			t.Errorf("%s woke nobody", step.name)
		}
		if diff := cmp.Diff(append([]string{"172.20.9.0/24 i-1 Pending"}, step.want...), custom(sim)); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
	a := askECS(t, sim, "DescribeInstances", args{"InstanceIds": `["i-2","i-gone"]`})
	if a.at("TotalCount") != 1.0 || a.at("Instances", "Instance", 0, "Status") != "Stopped" {
		t.Errorf("instances: %v", a.body)
	}
	a = askECS(t, sim, "DescribeNetworkInterfaces", args{"InstanceId": "i-2"})
	if a.at("NetworkInterfaceSets", "NetworkInterfaceSet", 0, "SourceDestCheck") != true {
		t.Errorf("interfaces: %v", a.body)
	}
}

func TestHandsAreRefused(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	system, other := netip.MustParsePrefix("192.168.0.0/20"), netip.MustParsePrefix("172.20.1.0/24")
	good(t, sim, "CreateRouteEntry", entry("172.20.2.0/24"))
	ip := netip.MustParseAddr("192.168.0.99")
	for name, tt := range map[string]struct{ got, want error }{
		"remove a system entry":    {sim.RemoveRoute("vtb-1", system), api.ErrNotFound},
		"remove what is not there": {sim.RemoveRoute("vtb-1", other), api.ErrNotFound},
		"point in no table":        {sim.PointRoute("vtb-9", other, "i-1"), api.ErrNotFound},
		"add twice":                {sim.AddRoute("vtb-1", alisim.Route{Destination: system}), api.ErrRefused},
		"add nothing":              {sim.AddRoute("vtb-1", alisim.Route{}), api.ErrInvalid},
		"add to no table":          {sim.AddRoute("vtb-9", alisim.Route{Destination: other}), api.ErrNotFound},
		"stop nobody":              {sim.SetStatus("i-9", alisim.Stopped), api.ErrNotFound},
		"check nobody":             {sim.SetSourceDestCheck("i-9", true), api.ErrNotFound},
		"release nobody":           {sim.RemoveInstance("i-9"), api.ErrNotFound},
		"reclaim nobody":           {sim.ReclaimInstance("i-9"), api.ErrNotFound},
		"release a next hop":       {sim.RemoveInstance("i-1"), api.ErrRefused},
		"start in no vSwitch":      {sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-9", IP: ip}), api.ErrNotFound},
		"start outside":            {sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-2", IP: ip}), api.ErrInvalid},
		"start in no group":        {sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-1", IP: ip, SecurityGroups: []string{"sg-9"}}), api.ErrInvalid},
		"start twice":              {sim.AddInstance(alisim.Instance{ID: "i-1", VSwitch: "vsw-1", IP: ip}), api.ErrRefused},
		"start without an id":      {sim.AddInstance(alisim.Instance{VSwitch: "vsw-1", IP: ip}), api.ErrInvalid},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
}

func TestInstancesComeAndGo(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	if err := sim.AddInstance(alisim.Instance{ID: "i-4", VSwitch: "vsw-2", IP: netip.MustParseAddr("192.168.16.44")}); err != nil {
		t.Fatal(err)
	}
	to4 := args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.4.0/24", "NextHopId": "i-4"}
	good(t, sim, "CreateRouteEntry", to4)
	if err := sim.ReclaimInstance("i-4"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"172.20.4.0/24 i-4 Available"}, custom(sim)); diff != "" {
		t.Errorf("the reclaimed instance's route: %s", diff)
	}
	if err := sim.RemoveInstance("i-3"); err != nil {
		t.Error(err)
	}
	if got := askECS(t, sim, "DescribeInstances", nil).at("TotalCount"); got != 2.0 {
		t.Errorf("%v instances, want 2", got)
	}
}

func TestCallersAtOnce(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			destination := fmt.Sprintf("172.20.%d.0/24", n)
			for range 20 {
				good(t, sim, "CreateRouteEntry", entry(destination))
				good(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1", "MaxResult": "100"})
				askECS(t, sim, "DescribeInstances", nil)
				_ = sim.SetStatus("i-3", alisim.Stopped)
				sim.Snapshot()
				good(t, sim, "DeleteRouteEntry", entry(destination))
				from(sim, "192.168.0.12", "GET", metaData+"instance-id")
			}
		})
	}
	wg.Wait()
	if got := custom(sim); got != nil {
		t.Errorf("left over: %v", got)
	}
	if got := len(sim.Requests()); got != 8*20*4 {
		t.Errorf("%d requests in the log, want %d", got, 8*20*4)
	}
}
