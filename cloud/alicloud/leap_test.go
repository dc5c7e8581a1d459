package alicloud

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/write"
	"github.com/sealane/sealane/cloud/alisim"
)

// leads requires that the destination is the old host's alone, as before the move.
func (m *moving) leads(t *testing.T) {
	t.Helper()
	routes, err := m.Routes(t.Context(), m.was.Table)
	if err != nil || len(routes) != 1 || !cloud.Same(routes[0], m.was) {
		t.Errorf("the table has %v, %v; want the old entry", routes, err)
	}
}

// What the cloud will not make is found out before what works is taken away.
func TestMoveToHopThatIsRefused(t *testing.T) {
	for code, want := range map[string]error{
		"InvalidNexthop.DirectEni": api.ErrInvalid, "OperationFailed.InvalidNexthop": api.ErrInvalid,
		"InvalidNextHop.NotFound": api.ErrNotFound,
	} {
		for _, destination := range []string{"10.0.0.0/24", "10.0.0.7/32"} {
			synctest.Test(t, func(t *testing.T) {
				m := newMoving(t, destination, 0)
				m.sim.Fault(alisim.Fault{Action: batchCreate, Code: code, Times: -1})
				m.sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Code: code, Times: -1})
				isKind(t, m.apply(t, m.change())[0], want)
				m.leads(t)
				if m.gaps > 0 {
					t.Errorf("%s, %s: %d looks found a gap", code, destination, m.gaps)
				}
			})
		}
	}
}

// An answer that is about the next hop does not say that entries may not be modified.
func TestModifyRefusedForHop(t *testing.T) {
	for _, code := range []string{"OperationUnsupported.Ipv6EntryOnPrimaryNetworkInterface", "OperationUnsupported.MutipleIpv6Address", "OperationDenied.Ipv6EntryOnCustomTable"} {
		synctest.Test(t, func(t *testing.T) {
			m := newMoving(t, "10.0.0.0/24", 0)
			m.sim.ClearFaults()
			m.sim.Fault(alisim.Fault{Action: "ModifyRouteEntry", Code: code, Times: -1})
			m.sim.Reset()
			isKind(t, m.apply(t, m.change())[0], api.ErrInvalid)
			if n := m.calls(batchCreate) + m.calls(batchDelete); n != 0 {
				t.Errorf("%s: %d calls to move it", code, n)
			}
			m.leads(t)
		})
	}
}

// The new entry is refused only when the old one is gone: that comes back.
func TestLeapGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMoving(t, "10.0.0.7/32", 0)
		m.sim.Fault(alisim.Fault{Action: batchCreate, Skip: 1, Code: "InvalidNextHop.NotFound"}) // after the rehearsal
		result := m.apply(t, m.change())[0]
		isKind(t, result, api.ErrNotFound)
		if result.Err == nil || !strings.Contains(result.Err.Error(), "is there again") || m.gaps == 0 {
			t.Errorf("%d gaps, %v", m.gaps, result.Err)
		}
		m.leads(t)
	})
}

// Where it may be made no more, that is an error in the log.
func TestLeapWithoutPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMoving(t, "10.0.0.7/32", 0)
		results, err := m.Apply(t.Context(), []api.Change{m.change()}, func() error {
			if m.calls(batchDelete) > 0 {
				return api.ErrDeposed
			}
			return nil
		})
		if err != nil || !errors.Is(results[0].Err, api.ErrDeposed) {
			t.Errorf("got %v, %v", results, err)
		}
		if log := m.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "may be missing") {
			t.Errorf("the log does not say so:\n%s", log)
		}
	})
}

// An entry at a half that another host is marked with is not ours to take.
func TestBridgeLeavesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMoving(t, "10.0.0.0/24", 0)
		other := route(0, 0, 2)
		other.Destination = halfRoutes(m.was)[0].Destination
		hand{m.sim}.AddForeign(other)
		m.client.Transport = wire{m.sim.API()} // some addresses lead to the third host, rightly
		m.done(t, m.change())
		routes, err := m.Routes(t.Context(), m.was.Table)
		if err != nil || len(routes) != 2 || !cloud.Same(routes[0], m.to) || !cloud.Same(routes[1], other) {
			t.Errorf("got %v, %v", routes, err)
		}
	})
}

// One denied modify is about its table, and for a while.
func TestDeniedModifyIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inBubble(t, world(), alisim.Options{TaskTime: 100 * time.Millisecond})
		changes := make([]api.Change, 3)
		for i, table := range []int{0, 0, 1} {
			was := route(table, i, 0)
			r.done(t, api.Change{Verb: api.Create, Route: was})
			changes[i] = api.Change{Verb: api.Replace, Route: route(table, i, 1), Was: &was}
		}
		r.sim.Fault(alisim.Fault{Action: "ModifyRouteEntry", Code: "Forbidden.RAM"})
		moves := func(c api.Change) bool {
			r.sim.Reset()
			r.done(t, c)
			return r.calls(batchDelete) > 0
		}
		if !moves(changes[0]) || moves(changes[2]) {
			t.Errorf("want the first moved, and that in the other table modified: %v", r.sim.Counts())
		}
		time.Sleep(write.Forgiven + time.Second)
		if moves(changes[1]) {
			t.Errorf("want it modified, after a while: %v", r.sim.Counts())
		}
	})
}
