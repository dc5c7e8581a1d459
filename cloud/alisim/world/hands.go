package world

import (
	"net/netip"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Hands are the hands of people and of the cloud itself: they work at once, past every task,
// quota and rule of the API. Errors are of kinds api.ErrNotFound, api.ErrRefused and
// api.ErrInvalid.
type Hands struct{ live *Live }

// HandsOn are the hands that reach into a live world.
func HandsOn(live *Live) Hands { return Hands{live} }

// Changed returns a channel that is closed at the next change of routes, instances or the
// association of vSwitches with tables. Take it before reading, then wait for it. A task
// that ends by the clock closes it only when somebody looks; see [Hands.Settles].
func (h Hands) Changed() <-chan struct{} {
	h.live.mu.Lock()
	defer h.live.mu.Unlock()
	return h.live.changed
}

// Settles is when the next running task ends or a foreign writer acts; ok is false when
// neither is to come.
func (h Hands) Settles() (at time.Time, ok bool) {
	h.live.mu.Lock()
	defer h.live.mu.Unlock()
	at, ok = h.live.world.nextEnd()
	if h.live.writer != nil {
		if next, due := h.live.writer.NextEdits(); due && (!ok || next.Before(at)) {
			return next, true
		}
	}
	return at, ok
}

// Routes lists a table's entries in order of creation, system entries included. It is nil
// for a table that does not exist.
func (h Hands) Routes(table string) (routes []seed.Route) {
	h.live.Settled(func(w *World) {
		if t := w.Table(table); t != nil {
			routes = t.routes()
		}
	})
	return routes
}

// Snapshot is the present state, without keys and with every default filled in. Tables
// hold their custom entries only. The caller owns it.
func (h Hands) Snapshot() (now seed.Seed) {
	h.live.Settled(func(w *World) { now = w.snapshot() })
	return now
}

// AddRoute puts an entry into a table, Available at once: a foreign hand. The next hop need
// not exist.
func (h Hands) AddRoute(table string, r seed.Route) error {
	return h.live.Change(func(w *World) error { return w.addRoute(table, r) })
}

// RemoveRoute takes a custom entry out of a table, whatever its state.
func (h Hands) RemoveRoute(table string, destination netip.Prefix) error {
	return h.Edit(Edit{Verb: RemoveEntry, Table: table, Destination: destination})
}

// PointRoute changes the next hop of a custom entry to another instance, at once.
func (h Hands) PointRoute(table string, destination netip.Prefix, instance string) error {
	return h.Edit(Edit{Verb: PointEntry, Table: table, Destination: destination, NextHop: instance})
}

// Edit does what a foreign hand does, see [Edit].
func (h Hands) Edit(e Edit) error {
	return h.live.Change(func(w *World) error { return w.applyEdit(e) })
}
