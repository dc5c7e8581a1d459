package fault

import (
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
)

// Armed is a fault that was armed, and what became of it.
type Armed struct {
	Fault
	Hits int `json:"hits"` // calls that it struck
	Left int `json:"left"` // calls that it will strike yet; negative: every one
}

// armed is a fault at work.
type armed struct {
	Fault
	hits, left int
	skip       int
	due        time.Time // of the next edits, with Every
}

// List holds the faults that were armed.
type List struct {
	live   *world.Live // guards all below
	faults []*armed
	armed  int // faults that were ever armed
}

// NewList is an empty list, whose foreign writers act on a live world.
func NewList(live *world.Live) *List {
	l := &List{live: live}
	live.AddWriter(clockwork{l})
	return l
}

// Fault arms a fault and tells its name; one of the same name is replaced. Several may be
// armed; each call meets the first that fits, in the order they were armed. Calls that are
// not signed well, are not permitted or exceed a rate meet none. A fault that contradicts
// itself is a mistake of the program that arms it, and panics.
func (l *List) Fault(f Fault) string {
	if bad := f.Mistake(); bad != "" {
		panic("fault: " + bad)
	}
	l.live.Locked(func(w *world.World) {
		l.armed++
		if f.Name == "" {
			f.Name = fmt.Sprintf("fault-%d", l.armed)
		}
		f.Edits = slices.Clone(f.Edits)
		a := &armed{Fault: f, left: f.Times, skip: f.Skip, due: time.Now().Add(f.Every)}
		if f.Times == 0 {
			a.left = 1
		}
		l.disarm(f.Name)
		l.faults = append(l.faults, a)
		if f.Every > 0 {
			w.Touch() // whoever waits for the clock must learn of it
		}
	})
	return f.Name
}

// Faults lists the faults that were armed and not removed, in their order, those that are
// used up too.
func (l *List) Faults() (all []Armed) {
	l.live.Settled(func(*world.World) {
		all = world.Mapped(l.faults, func(a *armed) Armed { return Armed{a.Fault, a.hits, a.left} })
	})
	return all
}

// Hits is how often a fault struck; 0 also of one that is not there.
func (l *List) Hits(name string) int {
	for _, a := range l.Faults() {
		if a.Name == name {
			return a.Hits
		}
	}
	return 0
}

// RemoveFault disarms a fault and reports whether there was one.
func (l *List) RemoveFault(name string) (removed bool) {
	l.live.Locked(func(*world.World) { removed = l.disarm(name) })
	return removed
}

// ClearFaults disarms every fault.
func (l *List) ClearFaults() {
	l.live.Locked(func(*world.World) { l.faults = nil })
}

func (l *List) disarm(name string) bool {
	before := len(l.faults)
	l.faults = slices.DeleteFunc(l.faults, func(a *armed) bool { return a.Name == name })
	return len(l.faults) < before
}

// MatchFault finds the fault for a call, by its action and parameters, and uses it up. The
// caller holds the world.
func (l *List) MatchFault(action string, params map[string]string) Fault {
	for _, a := range l.faults {
		switch {
		case a.left == 0, a.Every > 0, a.Action != "" && a.Action != action, !a.fitsCall(params):
		case a.skip > 0:
			a.skip--
		default:
			a.left--
			a.hits++
			return a.Fault
		}
	}
	return Fault{}
}

func (f Fault) fitsCall(params map[string]string) bool {
	for name, value := range f.Match {
		if params[name] != value {
			return false
		}
	}
	return true
}

// clockwork are the faults of a list that act by the clock.
type clockwork struct{ *List }

// NextEdits is when the next of them acts.
func (c clockwork) NextEdits() (at time.Time, ok bool) {
	for _, f := range c.faults {
		if f.Every > 0 && f.left != 0 && (!ok || f.due.Before(at)) {
			at, ok = f.due, true
		}
	}
	return at, ok
}

// RunDueEdits makes the edits that are due. Of those that were missed since nobody looked,
// only the last are made: they leave what all of them would.
func (c clockwork) RunDueEdits(w *world.World, now time.Time) (changed bool) {
	for _, f := range c.faults {
		if f.Every <= 0 || f.left == 0 || now.Before(f.due) {
			continue
		}
		due := 1 + int(now.Sub(f.due)/f.Every)
		if f.left > 0 {
			due = min(due, f.left)
			f.left -= due
		}
		f.hits += due
		f.due = f.due.Add(time.Duration(due) * f.Every)
		changed = w.ApplyEdits(f.Edits) || changed
	}
	return changed
}
