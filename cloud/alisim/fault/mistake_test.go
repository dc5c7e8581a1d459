package fault_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestFaultsThatWouldDoNothingAreRefused(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	edits := `"edits":[{"verb":"add","table":"vtb-1","destination":"172.20.9.0/24","nextHop":"i-2"}]`
	for _, body := range []string{
		`{"status":503}`, `{"nothing":true,"code":"InternalError"}`, `{"nothing":true,"after":true,"reset":true}`, `{"retryAfter":"1s"}`,
		`{"code":"Throttling","status":200}`, `{"code":"Throttling","status":204}`, `{"html":true,"status":204}`, `{"code":"X","html":true}`,
		`{"after":true}`, `{"failCode":"X"}`, `{"stick":true,"code":"X"}`, `{"every":"1us",` + edits + `}`,
	} {
		if status, got := simtest.AskControl(t, sim, "POST", "/v1/faults", body); status != 400 {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	for _, body := range []string{
		`{"html":true,"status":200}`, `{"code":"X","status":418}`, `{"fail":1,"after":true}`, `{"stick":true,"code":"X","after":true}`, `{"every":"1ms",` + edits + `}`,
	} {
		if status, got := simtest.AskControl(t, sim, "POST", "/v1/faults", body); status != 200 {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a wrong fault from Go was armed")
		}
	}()
	sim.Fault(alisim.Fault{Status: 503})
}

func TestHidePageOfTheLegacyList(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	sim.Fault(alisim.Fault{HidePage: true})
	got := simtest.Good(t, sim, "DescribeRouteTables", simtest.Args{"RouteTableId": "vtb-1"})
	if entries, _ := got.At("RouteTables", "RouteTable", 0, "RouteEntrys", "RouteEntry").([]any); len(entries) != 0 {
		t.Errorf("%d entries", len(entries))
	}
}

func TestForeignWriterActsBeforeARefusal(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	d := netip.MustParsePrefix("172.20.9.0/24")
	sim.Fault(alisim.Fault{Code: "TaskConflict", Edits: []alisim.Edit{{Verb: alisim.AddEntry, Table: "vtb-1", Destination: d, NextHop: "i-2"}}})
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"), "TaskConflict")
	simtest.ExpectEntries(t, sim, "the edit", "172.20.9.0/24 i-2 Available")
}

func TestForeignWriterWhoWasNotWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{})
		edits := []alisim.Edit{{Verb: alisim.AddEntry, Table: "vtb-1", Destination: netip.MustParsePrefix("172.20.9.0/24"), NextHop: "i-2"}}
		sim.Fault(alisim.Fault{Name: "ever", Every: time.Millisecond, Times: -1, Edits: edits})
		sim.Fault(alisim.Fault{Name: "some", Every: time.Hour, Times: 3, Edits: edits})
		const days = 100 * 365 * 24 * time.Hour // 3e12 ticks: nobody replays them one by one
		time.Sleep(days)
		simtest.ExpectEntries(t, sim, "after long", "172.20.9.0/24 i-2 Available")
		if ever, some := sim.Hits("ever"), sim.Hits("some"); ever != int(days/time.Millisecond) || some != 3 {
			t.Errorf("%d and %d hits", ever, some)
		}
	})
}
