package alicloud

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
)

// moving is a cloud that lets no entry be modified, and the change of one.
type moving struct {
	rig
	t       *testing.T
	was, to api.Route
	log     strings.Builder
	during  func() // at every request
	gaps    int    // requests at which an address of the destination led nowhere
}

func newMoving(t *testing.T, destination string, foreign int) *moving {
	t.Helper()
	m := &moving{t: t, was: route(0, 0, 0), to: route(0, 0, 1)}
	m.was.Destination = netip.MustParsePrefix(destination)
	m.to.Destination = m.was.Destination
	m.rig = inBubble(t, world(), alisim.Options{TaskTime: 100 * time.Millisecond}, func(c *Config) {
		c.Log, c.Settle = slog.New(slog.NewTextHandler(&m.log, nil)), time.Second
	})
	m.client.Transport = wire{http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		m.look()
		if m.during != nil {
			m.during()
		}
		m.sim.API().ServeHTTP(w, req)
		m.look()
	})}
	for i := range foreign {
		hand{m.sim}.AddForeign(route(0, 1000+i, 2))
	}
	m.done(t, api.Change{Verb: api.Create, Route: m.was})
	m.sim.Fault(alisim.Fault{Action: "ModifyRouteEntry", Code: "Forbidden.RAM", Times: -1})
	m.gaps = 0
	return m
}

// look follows the first and the last address of the destination, as the cloud forwards.
func (m *moving) look() {
	first, last := m.was.Destination.Addr(), m.was.Destination.Addr()
	if both := halfRoutes(m.was); both != nil {
		last = both[1].Destination.Addr()
	}
	for _, address := range []netip.Addr{first, last} {
		var best alisim.Route
		for _, r := range m.sim.Routes(string(m.was.Table)) {
			if (r.State == alisim.Available || r.State == alisim.Modifying) && r.Destination.Contains(address) && (!best.Destination.IsValid() || r.Destination.Bits() > best.Destination.Bits()) {
				best = r
			}
		}
		switch best.NextHop {
		case m.was.NextHop, m.to.NextHop:
		case "":
			m.gaps++
		default:
			m.t.Errorf("%s leads to %s", address, best.NextHop)
		}
	}
}

func (m *moving) change() api.Change { return api.Change{Verb: api.Replace, Route: m.to, Was: &m.was} }

// ends requires that the table has the moved route, and of foreign ones what it had.
func (m *moving) ends(foreign int) {
	m.t.Helper()
	routes, err := m.Routes(m.t.Context(), m.was.Table)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(routes) != 1+foreign || !cloud.Same(routes[0], m.to) {
		m.t.Errorf("the table has %d routes, the first %s", len(routes), routes[0])
	}
}

func TestBridge(t *testing.T) {
	for _, destination := range []string{"10.0.0.0/24", "10.0.0.0/31"} {
		synctest.Test(t, func(t *testing.T) {
			m := newMoving(t, destination, 197) // there is room for two more
			m.done(t, m.change())
			m.ends(197)
			if m.gaps > 0 || strings.Contains(m.log.String(), "missing for a moment") {
				t.Errorf("%d looks found a gap; log:\n%s", m.gaps, m.log.String())
			}
			if got := strings.Count(m.log.String(), "no permission to modify"); got != 1 {
				t.Errorf("the missing permission was logged %d times", got)
			}
		})
	}
}

// Without room for the halves, and for a single address, there is a gap, which is announced
// before it begins.
func TestGap(t *testing.T) {
	for destination, foreign := range map[string]int{"10.0.0.0/24": 198, "10.0.0.7/32": 3} {
		synctest.Test(t, func(t *testing.T) {
			m := newMoving(t, destination, foreign)
			m.during = func() {
				if m.gaps > 0 && !strings.Contains(m.log.String(), "destination="+destination) {
					t.Error("the gap began before it was announced")
				}
			}
			m.done(t, m.change())
			m.ends(foreign)
			if m.gaps == 0 {
				t.Error("there was no gap: the test sees nothing")
			}
		})
	}
}

// Cut off at whatever request, the table leads to the old or the new host, and whoever comes
// after ends the move.
func TestBridgeCutAtEveryStep(t *testing.T) {
	steps, whole := 0, false
	for ; !whole; steps++ {
		synctest.Test(t, func(t *testing.T) {
			m := newMoving(t, "10.0.0.0/24", 0)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			left := steps
			m.during = func() {
				if left--; left < 0 {
					cancel()
				}
			}
			results, err := m.Apply(ctx, []api.Change{m.change()}, cloud.Always)
			whole = err == nil && results[0].Err == nil
			m.during = nil
			<-time.After(time.Second)
			m.look()
			m.finish(steps)
			if m.gaps > 0 {
				t.Errorf("cut at request %d: %d looks found a gap", steps, m.gaps)
			}
		})
		if steps > 200 {
			t.Fatal("it never ends")
		}
	}
	t.Logf("cut at each of %d requests", steps-1)
}

// Halves that a former move left behind, and foreign entries in their place.
func TestBridgeWhereHalvesAre(t *testing.T) {
	for name, test := range map[string]struct {
		owned bool
		gap   bool
	}{"ours, to the old host": {true, false}, "foreign": {false, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMoving(t, "10.0.0.0/24", 0)
				left := halfRoutes(m.was)[1]
				if !test.owned {
					left.Mark = api.Mark{}
				}
				hand{m.sim}.AddForeign(left)
				m.done(t, m.change())
				routes, err := m.Routes(t.Context(), m.was.Table)
				if err != nil || !cloud.Same(routes[0], m.to) || len(routes) != map[bool]int{true: 1, false: 2}[test.owned] {
					t.Errorf("got %v, %v", routes, err)
				}
				if (m.gaps > 0) != test.gap {
					t.Errorf("%d looks found a gap", m.gaps)
				}
			})
		})
	}
}

// finish makes the change that a plan would have by now.
func (m *moving) finish(step int) {
	m.t.Helper()
	routes, err := m.Routes(m.t.Context(), m.was.Table)
	if err != nil {
		m.t.Fatal(err)
	}
	c := api.Change{Verb: api.Create, Route: m.to}
	for _, r := range routes {
		if r.Destination == m.to.Destination {
			c = api.Change{Verb: api.Replace, Route: m.to, Was: &r}
		}
	}
	if r := m.apply(m.t, c)[0]; r.Err != nil {
		m.t.Errorf("cut at request %d: %v", step, r.Err)
	}
	if routes, err = m.Routes(m.t.Context(), m.was.Table); err != nil {
		m.t.Fatal(err)
	}
	for _, r := range routes {
		if r.NextHop != m.to.NextHop || !m.to.Destination.Contains(r.Destination.Addr()) {
			m.t.Errorf("cut at request %d: %s is left", step, r)
		}
	}
}

// To take over an entry no traffic is put at risk.
func TestNoMoveForAMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMoving(t, "10.0.0.0/24", 0)
		to := m.was
		to.Mark.Host = "i-another"
		isKind(t, m.apply(t, api.Change{Verb: api.Replace, Route: to, Was: &m.was})[0], api.ErrDenied)
		if n := m.calls(batchDelete); n != 0 {
			t.Errorf("%d deletes", n)
		}
	})
}

// halfRoutes are the two routes that together lead where this one does; nil for one address.
func halfRoutes(r api.Route) []api.Route {
	if r.Destination.IsSingleIP() {
		return nil
	}
	first, second := r, r
	first.Destination, second.Destination = cloud.Halves(r.Destination)
	return []api.Route{first, second}
}
