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

// Changed is a channel that is closed at the next change, see [Live.Changed].
func (h Hands) Changed() <-chan struct{} { return h.live.Changed() }

// Settles is when the world changes next by the clock, see [Live.Settles].
func (h Hands) Settles() (at time.Time, ok bool) { return h.live.Settles() }

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
