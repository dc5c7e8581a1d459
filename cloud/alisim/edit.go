package alisim

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/api"
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

func (e Edit) wrong() string {
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

// apply makes the edit.
func (w *world) apply(e Edit) error {
	if bad := e.wrong(); bad != "" {
		return fmt.Errorf("edit of %s: %w: %s", e.Table, api.ErrInvalid, bad)
	}
	if e.Verb == AddEntry {
		return w.addRoute(e.Table, Route{
			Destination: e.Destination, NextHop: e.NextHop, NextHopType: e.NextHopType, Name: e.Name, Description: e.Description,
		})
	}
	t := w.table(e.Table)
	if t == nil {
		return fmt.Errorf("%s %s in %s: no such table: %w", e.Verb, e.Destination, e.Table, api.ErrNotFound)
	}
	old := t.entry(e.Destination)
	switch {
	case old == nil || old.System:
		return fmt.Errorf("%s %s in %s: no such custom entry: %w", e.Verb, e.Destination, e.Table, api.ErrNotFound)
	case e.Verb == RemoveEntry:
		old.remove()
	default:
		old.NextHop, old.NextHopType, old.modified = e.NextHop, cmp.Or(e.NextHopType, HopInstance), time.Now()
	}
	return nil
}

func (w *world) addRoute(table string, r Route) error {
	t := w.table(table)
	switch {
	case t == nil:
		return fmt.Errorf("add route to %s: %w", table, api.ErrNotFound)
	case !r.Destination.IsValid() || r.Destination != r.Destination.Masked():
		return fmt.Errorf("add route to %s: %w: destination %s", table, api.ErrInvalid, r.Destination)
	case t.entry(r.Destination) != nil:
		return fmt.Errorf("add route %s to %s: %w: it is there", r.Destination, table, api.ErrRefused)
	}
	r.System = false
	r.NextHopType = cmp.Or(r.NextHopType, HopInstance)
	if r.State = cmp.Or(r.State, Available); !r.State.known() {
		return fmt.Errorf("add route %s to %s: %w: state %q", r.Destination, table, api.ErrInvalid, r.State)
	}
	w.enter(t, r, time.Now()).stuck = r.State != Available
	return nil
}

// applyEdits makes the edits of a foreign writer. What cannot be made, such as to remove what is not
// there, is left out: a foreign hand does not wait for ours.
func (w *world) applyEdits(edits []Edit) (changed bool) {
	for _, e := range edits {
		changed = w.apply(e) == nil || changed
	}
	return changed
}
