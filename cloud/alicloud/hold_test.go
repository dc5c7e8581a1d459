package alicloud

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

// After a move that was cut off the plan makes the entry and takes the halves away: they are
// not taken before the entry was seen to be there.
func TestDeletesWaitForWhatCoversThem(t *testing.T) {
	for name, test := range map[string]struct {
		fault alisim.Fault
		left  int
		want  error // of the deletes
	}{
		"made":    {alisim.Fault{Delay: time.Second}, 1, nil},
		"refused": {alisim.Fault{Code: "InvalidNextHop.NotFound", Times: -1}, 2, api.ErrBusy},
		"unknown": {alisim.Fault{Code: "InternalError"}, 2, api.ErrBusy},
		"failing": {alisim.Fault{Fail: 1, FailCode: "QuotaExceeded"}, 2, api.ErrBusy},
		"stuck":   {alisim.Fault{Stick: true}, 3, api.ErrBusy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inBubble(t, world(), alisim.Options{TaskTime: 100 * time.Millisecond})
				whole := route(0, 0, 0)
				both := halfRoutes(whole)
				r.done(t, api.Change{Verb: api.Create, Route: both[0]}, api.Change{Verb: api.Create, Route: both[1]})
				r.sim.Reset()
				test.fault.Action = batchCreate
				r.sim.Fault(test.fault)
				results := r.apply(t, api.Change{Verb: api.Create, Route: whole},
					api.Change{Verb: api.Delete, Route: both[0]}, api.Change{Verb: api.Delete, Route: both[1]})
				isKind(t, results[1], test.want)
				isKind(t, results[2], test.want)
				if test.want != nil && (r.calls(batchDelete) > 0 || !strings.Contains(results[1].Err.Error(), "what is to replace it")) {
					t.Errorf("%d deletes; %v", r.calls(batchDelete), results[1].Err)
				}
				if got, err := r.Routes(t.Context(), whole.Table); err != nil || len(got) != test.left {
					t.Errorf("%v, %v; want %d", got, err, test.left)
				}
			})
		})
	}
}

// What covers nothing of it, or is of another table, holds no delete back; nor does what
// comes after it.
func TestDeletesThatWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inBubble(t, world(), alisim.Options{TaskTime: 100 * time.Millisecond})
		old := route(0, 0, 0)
		other, elsewhere, wide := route(0, 1, 0), route(1, 0, 0), route(0, 0, 1)
		elsewhere.Destination = netip.MustParsePrefix("10.0.0.0/20")
		wide.Destination = elsewhere.Destination
		r.done(t, api.Change{Verb: api.Create, Route: old})
		r.sim.Fault(alisim.Fault{Action: batchCreate, Code: "InternalError", Times: -1})
		results := r.apply(t, api.Change{Verb: api.Create, Route: other}, api.Change{Verb: api.Create, Route: elsewhere},
			api.Change{Verb: api.Delete, Route: old}, api.Change{Verb: api.Create, Route: wide})
		isKind(t, results[2], nil)
	})
}

// Nothing was sent, so nothing was deleted, whatever the code of the read before it.
func TestReadsDeleteNothing(t *testing.T) {
	for _, code := range []string{"InvalidRouteEntry.NotFound", "InvalidRouteEntryId.NotFound", "InvalidCIDRBlock.Duplicate", "InvalidRouteTableId.NotFound"} {
		synctest.Test(t, func(t *testing.T) {
			r := inBubble(t, world(), alisim.Options{TaskTime: 100 * time.Millisecond})
			r.done(t, creates(0, 2)...)
			r.sim.Reset()
			r.sim.Fault(alisim.Fault{Action: list, Code: code})
			for _, result := range r.apply(t, leaving(creates(0, 2))...) {
				if result.Err == nil || r.calls(batchDelete) > 0 {
					t.Errorf("%s: got %v after %d deletes", code, result.Err, r.calls(batchDelete))
				}
			}
		})
	}
}

// A table that cannot be read keeps nothing from going in the others.
func TestOneTableUnreadable(t *testing.T) {
	for code, want := range map[string]error{"ServiceUnavailable": api.ErrUnreachable, "Forbidden.RAM": api.ErrDenied} {
		synctest.Test(t, func(t *testing.T) {
			r := inBubble(t, fleet(3, 10), alisim.Options{TaskTime: 100 * time.Millisecond})
			r.done(t, joining(3, 10)...)
			r.sim.Fault(alisim.Fault{Action: list, Match: map[string]string{"RouteTableId": "vtb-1"}, Code: code, Times: -1})
			for _, result := range r.apply(t, leaving(joining(3, 10))...) {
				if result.Change.Route.Table == "vtb-1" {
					isKind(t, result, want)
				} else {
					isKind(t, result, nil)
				}
			}
		})
	}
}

// The entry that a delete was decided for went, and another is in its place, as like as can be.
func TestDeleteOfAnotherEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inBubble(t, world(), alisim.Options{TaskTime: 100 * time.Millisecond})
		mine := route(0, 0, 0)
		r.done(t, api.Change{Verb: api.Create, Route: mine})
		had, err := r.Routes(t.Context(), mine.Table)
		if err != nil {
			t.Fatal(err)
		}
		hand{r.sim}.Remove(mine.Key())
		mine.Mark.Generation = 9
		hand{r.sim}.AddForeign(mine)
		isKind(t, r.apply(t, api.Change{Verb: api.Delete, Route: had[0]})[0], api.ErrRefused)
		to := mine
		to.NextHop = route(0, 0, 1).NextHop
		isKind(t, r.apply(t, api.Change{Verb: api.Replace, Route: to, Was: &had[0]})[0], api.ErrRefused)
		r.done(t, api.Change{Verb: api.Delete, Route: mine}) // whose id is not known
	})
}

// A batch delete that counts more failures than it lists is made again for what stays.
func TestDeletesListedShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inBubble(t, world(), alisim.Options{TaskTime: 300 * time.Millisecond})
		r.done(t, creates(0, 3)...)
		r.sim.Fault(alisim.Fault{Action: batchDelete, Fail: 2, FailCode: "TaskConflict", Failures: alisim.Short})
		start := time.Now()
		r.done(t, leaving(creates(0, 3))...)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// To wait costs nothing: neither what waits for its place, nor a delete for what covers it,
// nor one behind another that came too early.
func TestWaitingIsIdle(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Settle = 2 * time.Second })
	a := route(0, 0, 0)
	r.sim.Fault(alisim.Fault{Action: batchCreate, Stick: true})
	before := used(t)
	results := r.apply(t, api.Change{Verb: api.Create, Route: a}, api.Change{Verb: api.Delete, Route: a},
		api.Change{Verb: api.Delete, Route: halfRoutes(a)[0]})
	for _, result := range results {
		if result.Err == nil || !errors.Is(results[0].Err, api.ErrUnknown) {
			t.Errorf("got %v", result.Err)
		}
	}
	if cpu := used(t) - before; cpu > time.Second {
		t.Errorf("it took %s of the processor", cpu)
	}
}

func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
