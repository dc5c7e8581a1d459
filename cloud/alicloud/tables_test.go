package alicloud

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/write"
	"github.com/sealane/sealane/cloud/alisim"
)

// made counts what was done in each table; the others must have an error of a kind.
func made(t *testing.T, results []cloud.Result, kind error) map[api.TableID]int {
	t.Helper()
	done := map[api.TableID]int{}
	for _, r := range results {
		if r.Err == nil {
			done[r.Change.Route.Table]++
		} else {
			isKind(t, r, kind)
		}
	}
	return done
}

// A table that the RAM policy lacks costs the others nothing, and is tried again later.
func TestOneTableDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inBubble(t, fleet(3, 20), alisim.Options{TaskTime: 100 * time.Millisecond})
		for i := 1; i <= 50; i++ {
			r.sim.Fault(alisim.Fault{Action: batchCreate, Match: map[string]string{fmt.Sprintf("RouteEntries.%d.RouteTableId", i): "vtb-1"}, Code: "Forbidden.RAM", Times: -1})
		}
		r.sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Match: map[string]string{"RouteTableId": "vtb-1"}, Code: "Forbidden.RAM", Times: -1})
		done := made(t, r.apply(t, joining(3, 20)...), api.ErrDenied)
		if done["vtb-0"] != 20 || done["vtb-1"] != 0 || done["vtb-2"] != 20 {
			t.Errorf("made %v, want all but those in vtb-1", done)
		}
		if b, s := r.calls(batchCreate), r.calls("CreateRouteEntry"); b > 5 || s != 1 {
			t.Errorf("%d calls for batches and %d for single entries", b, s)
		}
		before := len(r.sim.Requests())
		made(t, r.apply(t, joining(3, 1)[1]), api.ErrDenied)
		if n := len(r.sim.Requests()); n != before {
			t.Errorf("%d calls for what was denied just now", n-before)
		}
		r.sim.ClearFaults()
		time.Sleep(write.Forgiven)
		if done := made(t, r.apply(t, joining(3, 20)...), nil); done["vtb-1"] != 20 {
			t.Errorf("made %v after the policy was mended", done)
		}
	})
}

// That batches are denied is believed for a while, not for ever.
func TestBatchesAllowedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r rig) {
		r.sim.Fault(alisim.Fault{Action: batchCreate, Code: "Forbidden.RAM"})
		r.done(t, creates(0, 3)...)
		time.Sleep(write.Forgiven)
		r.done(t, creates(1, 3)...)
		if b, s := r.calls(batchCreate), r.calls("CreateRouteEntry"); b != 2 || s != 3 {
			t.Errorf("%d calls for batches and %d for single entries, want 2 and 3", b, s)
		}
	})
}

// What a table, or the VPC, answers is not looked for in single entries.
func TestTableIsToBlame(t *testing.T) {
	for code, want := range map[string]error{
		"InvalidRouteTableId.NotFound": api.ErrNotFound, "InvalidVpc.NotFound": api.ErrNotFound, "InvalidVRouter.NotFound": api.ErrNotFound,
		"OperationDenied.RouteTableTypeNotPermitted": api.ErrInvalid, "IncorrectStatus.Ipv4Gateway": api.ErrBusy,
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inBubble(t, fleet(2, 100), alisim.Options{TaskTime: 100 * time.Millisecond})
				r.sim.Fault(alisim.Fault{Action: batchCreate, Code: code, Times: -1})
				if done := made(t, r.apply(t, joining(2, 100)...), want); len(done) != 0 {
					t.Errorf("made %v", done)
				}
				if n := r.calls(batchCreate) + r.calls("CreateRouteEntry"); n > 4*write.Tries {
					t.Errorf("%d writes", n)
				}
			})
		})
	}
}
