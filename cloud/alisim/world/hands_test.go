package world_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestHandsWorkAtOnceAndWake(t *testing.T) {
	sim := simtest.New(t, alisim.Options{TaskTime: 1 << 40})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.9.0/24")) // a task runs for all of the test
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
		if diff := cmp.Diff(append([]string{"172.20.9.0/24 i-1 Pending"}, step.want...), simtest.CustomEntries(sim)); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
	a := simtest.AskECS(t, sim, "DescribeInstances", simtest.Args{"InstanceIds": `["i-2","i-gone"]`})
	if a.At("TotalCount") != 1.0 || a.At("Instances", "Instance", 0, "Status") != "Stopped" {
		t.Errorf("instances: %v", a.Body)
	}
	a = simtest.AskECS(t, sim, "DescribeNetworkInterfaces", simtest.Args{"InstanceId": "i-2"})
	if a.At("NetworkInterfaceSets", "NetworkInterfaceSet", 0, "SourceDestCheck") != true {
		t.Errorf("interfaces: %v", a.Body)
	}
}

func TestHandsAreRefused(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	system, other := netip.MustParsePrefix("192.168.0.0/20"), netip.MustParsePrefix("172.20.1.0/24")
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.2.0/24"))
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
	sim := simtest.New(t, alisim.Options{})
	if err := sim.AddInstance(alisim.Instance{ID: "i-4", VSwitch: "vsw-2", IP: netip.MustParseAddr("192.168.16.44")}); err != nil {
		t.Fatal(err)
	}
	to4 := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.4.0/24", "NextHopId": "i-4"}
	simtest.Good(t, sim, "CreateRouteEntry", to4)
	if err := sim.ReclaimInstance("i-4"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"172.20.4.0/24 i-4 Available"}, simtest.CustomEntries(sim)); diff != "" {
		t.Errorf("the reclaimed instance's route: %s", diff)
	}
	if err := sim.RemoveInstance("i-3"); err != nil {
		t.Error(err)
	}
	if got := simtest.AskECS(t, sim, "DescribeInstances", nil).At("TotalCount"); got != 2.0 {
		t.Errorf("%v instances, want 2", got)
	}
}

func TestCallersAtOnce(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			destination := fmt.Sprintf("172.20.%d.0/24", n)
			for range 20 {
				simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs(destination))
				simtest.Good(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "MaxResult": "100"})
				simtest.AskECS(t, sim, "DescribeInstances", nil)
				_ = sim.SetStatus("i-3", alisim.Stopped)
				sim.Snapshot()
				simtest.Good(t, sim, "DeleteRouteEntry", simtest.EntryArgs(destination))
				simtest.AskFrom(sim, "192.168.0.12", "GET", simtest.MetaData+"instance-id")
			}
		})
	}
	wg.Wait()
	if got := simtest.CustomEntries(sim); got != nil {
		t.Errorf("left over: %v", got)
	}
	if got := len(sim.Requests()); got != 8*20*4 {
		t.Errorf("%d requests in the log, want %d", got, 8*20*4)
	}
}

func TestVSwitchMustNotHoldADestination(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("192.168.64.0/24"))
	add := func(id, cidr string) error {
		return sim.AddVSwitch("vpc-1", alisim.VSwitch{ID: id, CIDR: netip.MustParsePrefix(cidr)})
	}
	for cidr, want := range map[string]error{
		"192.168.64.0/24": api.ErrRefused, "192.168.64.0/20": api.ErrRefused, "192.168.0.0/24": api.ErrRefused, "10.0.0.0/24": api.ErrInvalid,
	} {
		if err := add("vsw-x", cidr); !errors.Is(err, want) {
			t.Errorf("%s: %v", cidr, err)
		}
	}
	if err := add("vsw-3", "192.168.80.0/20"); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"vtb-1", "vtb-2"} {
		if text := fmt.Sprint(sim.Routes(table)); !strings.Contains(text, "192.168.80.0/20") {
			t.Errorf("%s lacks the system entry: %s", table, text)
		}
	}
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("192.168.80.0/24"), "InvalidCidrBlock")
	if err := sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-3", IP: netip.MustParseAddr("192.168.80.9")}); err != nil {
		t.Error(err)
	}
}

func TestTablesAreLimited(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for n := range 8 { // the example has one custom table
		if err := sim.AddTable("vpc-1", alisim.Table{ID: fmt.Sprintf("vtb-x%d", n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.AddTable("vpc-1", alisim.Table{ID: "vtb-y"}); !errors.Is(err, api.ErrRefused) {
		t.Errorf("the tenth: %v", err)
	}
	if got := len(sim.Routes("vtb-x1")); got != 3 {
		t.Errorf("a new table has %d entries, want the three system ones", got)
	}
}
