package world

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Edit is what a foreign hand does to one entry of a table: at once, and past every task,
// quota and rule.
type Edit struct {
	Verb        string       `json:"verb"` // add, remove or point
	Table       string       `json:"table"`
	Destination netip.Prefix `json:"destination"`
	NextHop     string       `json:"nextHop,omitempty"` // of add and point; need not exist
	NextHopType string       `json:"nextHopType,omitempty"`
	Name        string       `json:"name,omitempty"` // of add
	Description string       `json:"description,omitempty"`
}

// The verbs of an edit.
const (
	AddEntry    = "add"
	RemoveEntry = "remove"
	PointEntry  = "point"
)

// Mistake says what is wrong with an edit, or "".
func (e Edit) Mistake() string {
	switch e.Verb {
	case AddEntry, RemoveEntry, PointEntry:
	default:
		return fmt.Sprintf("verb %q is none of add, remove, point", e.Verb)
	}
	if !e.Destination.IsValid() || e.Destination != e.Destination.Masked() {
		return fmt.Sprintf("destination %s is no network", e.Destination)
	}
	return ""
}

// applyEdit makes the edit.
func (w *World) applyEdit(e Edit) error {
	if bad := e.Mistake(); bad != "" {
		return fmt.Errorf("edit of %s: %w: %s", e.Table, api.ErrInvalid, bad)
	}
	if e.Verb == AddEntry {
		return w.addRoute(e.Table, seed.Route{
			Destination: e.Destination, NextHop: e.NextHop, NextHopType: e.NextHopType, Name: e.Name, Description: e.Description,
		})
	}
	t := w.Table(e.Table)
	if t == nil {
		return fmt.Errorf("%s %s in %s: no such table: %w", e.Verb, e.Destination, e.Table, api.ErrNotFound)
	}
	old := t.EntryFor(e.Destination)
	switch {
	case old == nil || old.System:
		return fmt.Errorf("%s %s in %s: no such custom entry: %w", e.Verb, e.Destination, e.Table, api.ErrNotFound)
	case e.Verb == RemoveEntry:
		old.removeEntry()
	default:
		old.NextHop, old.NextHopType, old.Modified = e.NextHop, cmp.Or(e.NextHopType, seed.HopInstance), time.Now()
	}
	return nil
}

func (w *World) addRoute(table string, r seed.Route) error {
	t := w.Table(table)
	switch {
	case t == nil:
		return fmt.Errorf("add route to %s: %w", table, api.ErrNotFound)
	case !r.Destination.IsValid() || r.Destination != r.Destination.Masked():
		return fmt.Errorf("add route to %s: %w: destination %s", table, api.ErrInvalid, r.Destination)
	case t.EntryFor(r.Destination) != nil:
		return fmt.Errorf("add route %s to %s: %w: it is there", r.Destination, table, api.ErrRefused)
	}
	r.System = false
	r.NextHopType = cmp.Or(r.NextHopType, seed.HopInstance)
	if r.State = cmp.Or(r.State, seed.Available); !r.State.Known() {
		return fmt.Errorf("add route %s to %s: %w: state %q", r.Destination, table, api.ErrInvalid, r.State)
	}
	w.enterEntry(t, r, time.Now()).stuck = r.State != seed.Available
	return nil
}

// ApplyEdits makes the edits of a foreign writer. What cannot be made, such as to remove what is not
// there, is left out: a foreign hand does not wait for ours.
func (w *World) ApplyEdits(edits []Edit) (changed bool) {
	for _, e := range edits {
		changed = w.applyEdit(e) == nil || changed
	}
	return changed
}
