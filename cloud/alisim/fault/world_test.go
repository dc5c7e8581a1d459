package fault_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestSuccessThatDidNothing(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	for action, with := range map[string]simtest.Args{
		"CreateRouteEntry":   simtest.EntryArgs("172.20.2.0/24"),
		"CreateRouteEntries": simtest.BatchArgs("vtb-1 172.20.3.0/24 i-1"),
		"DeleteRouteEntry":   {"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24"},
		"ModifyRouteEntry":   {"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NewNextHopId": "i-2"},
	} {
		name := sim.Fault(alisim.Fault{Action: action, Nothing: true})
		simtest.Good(t, sim, action, with)
		if sim.Hits(name) != 1 {
			t.Errorf("%s: not struck", action)
		}
	}
	simtest.ExpectEntries(t, sim, "nothing happened", "172.20.1.0/24 i-1 Available")
}

func TestListsLeaveOut(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for n := range 5 {
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs(fmt.Sprintf("172.20.%d.0/24", n)))
	}
	list := func(f alisim.Fault) []string {
		f.Action = "DescribeRouteEntryList"
		sim.Fault(f)
		var out []string
		a := simtest.Good(t, sim, f.Action, simtest.Args{"RouteTableId": "vtb-1", "MaxResult": "4"})
		for n := range simtest.Count(a, "RouteEntrys", "RouteEntry") {
			out = append(out, a.At("RouteEntrys", "RouteEntry", n, "DestinationCidrBlock").(string))
		}
		if token, _ := a.At("NextToken").(string); token != "" {
			out = append(out, "more")
		}
		return out
	}
	system := []string{"100.64.0.0/10", "192.168.0.0/20", "192.168.16.0/20"}
	for name, tt := range map[string]struct {
		fault alisim.Fault
		want  []string
	}{
		"two entries":       {alisim.Fault{Hide: 2}, append(system[:3:3], "172.20.2.0/24", "more")},
		"all custom ones":   {alisim.Fault{Hide: -1}, system},
		"all of the page":   {alisim.Fault{HidePage: true}, []string{"more"}},
		"nothing, in order": {alisim.Fault{}, append(system[:3:3], "172.20.0.0/24", "more")},
	} {
		if diff := cmp.Diff(tt.want, list(tt.fault)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	sim.Fault(alisim.Fault{Hide: 4})
	a := simtest.Good(t, sim, "DescribeRouteTables", simtest.Args{"RouteTableId": "vtb-1"})
	if got := simtest.Count(a, "RouteTables", "RouteTable"); got != 1 {
		t.Fatalf("%d tables", got)
	}
	if l := a.At("RouteTables", "RouteTable", 0, "RouteEntrys", "RouteEntry").([]any); len(l) != 4 {
		t.Errorf("legacy list has %d entries, want 4", len(l))
	}
}

func TestBatchFailsInPart(t *testing.T) {
	items := []string{"vtb-1 172.20.1.0/24 i-1", "vtb-1 172.20.2.0/24 i-1", "vtb-2 172.20.3.0/24 i-2"}
	told := func(a simtest.Answer) (out []string) {
		for n := range a.At("FailedRouteEntries").([]any) {
			out = append(out, a.At("FailedRouteEntries", n, "DstCidrBlock").(string))
		}
		return out
	}
	const second, third = "172.20.2.0/24", "172.20.3.0/24"
	for name, tt := range map[string]struct {
		fault alisim.Fault
		told  []string
		made  int // in vtb-1
	}{
		"two items":       {alisim.Fault{Fail: 2}, []string{second, third}, 1},
		"told, not so":    {alisim.Fault{Fail: 2, After: true}, []string{second, third}, 2},
		"short list":      {alisim.Fault{Fail: 2, Failures: alisim.Short}, []string{second}, 1},
		"duplicated":      {alisim.Fault{Fail: 2, Failures: alisim.Duplicated}, []string{second, second}, 1},
		"other way round": {alisim.Fault{Fail: 2, Failures: alisim.Permuted}, []string{third, second}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			sim := simtest.New(t, alisim.Options{})
			tt.fault.Action = "CreateRouteEntries"
			sim.Fault(tt.fault)
			a := simtest.Good(t, sim, "CreateRouteEntries", simtest.BatchArgs(items...))
			if diff := cmp.Diff(tt.told, told(a)); diff != "" || a.At("FailedCount") != 2.0 || a.At("SuccessCount") != 1.0 {
				t.Errorf("%v of %v failed: %s", a.At("FailedCount"), len(items), diff)
			}
			if a.At("FailedRouteEntries", 0, "FailedCode") != "VPC_ROUTE_ENTRY_STATUS_ERROR" || len(simtest.CustomEntries(sim)) != tt.made {
				t.Errorf("%v; vtb-1 holds %v", a.Body, simtest.CustomEntries(sim))
			}
		})
	}
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntries", simtest.BatchArgs(items[:2]...))
	sim.Fault(alisim.Fault{Fail: 1, FailCode: "ODD"})
	if a := simtest.Good(t, sim, "DeleteRouteEntries", simtest.BatchArgs(items[:2]...)); a.At("FailedRouteEntries", 0, "FailedCode") != "ODD" {
		t.Errorf("delete: %v", a.Body)
	}
	simtest.ExpectEntries(t, sim, "one is left", second+" i-1 Available")
}

func TestForeignWriterBeforeACall(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	at := netip.MustParsePrefix("172.20.9.0/24")
	name := sim.Fault(alisim.Fault{Action: "DescribeVpcs", Skip: 1, Edits: []alisim.Edit{
		{Verb: alisim.AddEntry, Table: "vtb-1", Destination: at, NextHop: "i-2"},
	}})
	simtest.Good(t, sim, "DescribeVpcs", nil)
	simtest.ExpectEntries(t, sim, "before the second call")
	changed := sim.Changed()
	simtest.Good(t, sim, "DescribeVpcs", nil)
	simtest.ExpectEntries(t, sim, "at the second call", "172.20.9.0/24 i-2 Available")
	select {
	case <-changed:
	default:
		t.Error("nobody was woken")
	}
	if sim.Hits(name) != 1 {
		t.Errorf("%d hits", sim.Hits(name))
	}
}

func TestForeignWriterByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{})
		at := netip.MustParsePrefix("172.20.9.0/24")
		edit := func(verb string) []alisim.Edit {
			return []alisim.Edit{{Verb: verb, Table: "vtb-1", Destination: at, NextHop: "i-2"}}
		}
		sim.Fault(alisim.Fault{Name: "adds", Every: time.Minute, Times: -1, Edits: edit(alisim.AddEntry)})
		sim.Fault(alisim.Fault{Name: "removes", Every: 90 * time.Second, Times: 1, Edits: edit(alisim.RemoveEntry)})
		if when, ok := sim.Settles(); !ok || time.Until(when) != time.Minute {
			t.Errorf("settles at %v, %v", when, ok)
		}
		simtest.ExpectEntries(t, sim, "at first")
		time.Sleep(time.Minute)
		simtest.ExpectEntries(t, sim, "after a minute", "172.20.9.0/24 i-2 Available")
		time.Sleep(30 * time.Second)
		simtest.ExpectEntries(t, sim, "after one and a half")
		time.Sleep(10 * time.Minute)
		if sim.Hits("adds") != 11 || sim.Hits("removes") != 1 {
			t.Errorf("hits %d and %d", sim.Hits("adds"), sim.Hits("removes"))
		}
		if !sim.RemoveFault("adds") || sim.RemoveFault("adds") {
			t.Error("a fault is removed once")
		}
		if _, ok := sim.Settles(); ok {
			t.Error("something is to come yet")
		}
	})
}

func TestFaultsAreListed(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	sim.Fault(alisim.Fault{Name: "one", Action: "DescribeVpcs", Match: map[string]string{"VpcId": "vpc-1"}, Code: "InternalError", Times: 3})
	second := sim.Fault(alisim.Fault{Skip: 1})
	simtest.Good(t, sim, "DescribeVpcs", nil)
	simtest.Bad(t, sim, "DescribeVpcs", simtest.Args{"VpcId": "vpc-1"}, "InternalError")
	var got []string
	for _, a := range sim.Faults() {
		got = append(got, fmt.Sprintf("%s %d %d", a.Name, a.Hits, a.Left))
	}
	if diff := cmp.Diff([]string{"one 1 2", second + " 0 1"}, got); diff != "" {
		t.Error(diff)
	}
	if r := sim.Requests(); r[1].Fault != "one" || r[0].Fault != "" || sim.Counts()["DescribeVpcs"] != 2 {
		t.Errorf("log: %+v, counts %v", r, sim.Counts())
	}
}
