package alisim

import (
	"slices"
	"time"
)

// task is the one asynchronous change that may run in a VPC at a time:
//
//	create: Pending   -> Available
//	modify: Modifying -> Available
//	delete: Deleting  -> gone
//
// The zero task is none.
type task struct {
	running  bool
	ends     time.Time
	entries  []*entry
	vswitch  *vswitch // being associated with another table
	vanished []*entry // accepted, but to disappear at the end
}

// taskTime is how long a change of this VPC takes.
func (v *vpc) taskTime(common time.Duration) time.Duration {
	if v.TaskTime != 0 {
		return time.Duration(v.TaskTime)
	}
	return common
}

// begin starts a change of these entries; it must be checked before that none is running.
func (w *world) begin(v *vpc, now time.Time, entries []*entry) {
	for _, e := range entries {
		e.modified = now
	}
	v.task = task{running: true, ends: now.Add(v.taskTime(w.TaskTime)), entries: entries}
}

// modify starts the change of an entry. What it was stays in force until the task ends.
func (w *world) modify(e *entry, next Route, now time.Time) {
	if w.Readings.NewEntryID == Allow {
		w.serial++
		next.ID = entryID(w.serial)
	}
	if e.System {
		was := e.Route
		e.was, next.System = &was, false
	}
	e.State, e.next = Modifying, &next
	w.begin(e.table.vpc, now, []*entry{e})
	w.touch()
}

// associate starts to move a vSwitch to another table, which serves it at once, though the
// task still runs.
func (w *world) associate(s *vswitch, t *table, now time.Time) {
	s.table, s.status = t, Pending
	w.begin(t.vpc, now, nil)
	t.vpc.task.vswitch = s
	w.touch()
}

// underWay reports whether the task that makes the entry still runs.
func (e *entry) underWay() bool { return e.State == Pending && !e.stuck }

// underWay reports whether the task that moves the vSwitch still runs.
func (s *vswitch) underWay() bool { return s.vpc.task.vswitch == s }

// stickSince makes what was made after a serial number stay Pending for ever; or, to vanish,
// go when its task ends.
func (w *world) stickSince(serial int, vanish bool) {
	for _, v := range w.vpcs {
		for _, e := range v.task.entries {
			if e.serial <= serial {
				continue
			}
			e.stuck = true
			if vanish {
				v.task.vanished = append(v.task.vanished, e)
			}
		}
	}
}

// settle finishes what has run its time and reports whether anything became different.
func (w *world) settle(now time.Time) bool {
	changed := false
	for _, v := range w.vpcs {
		if v.task.running && !now.Before(v.task.ends) {
			v.task.finish()
			changed = true
		}
	}
	return changed
}

func (t *task) finish() {
	for _, e := range t.entries {
		e.finish()
	}
	for _, e := range t.vanished {
		e.remove()
	}
	if t.vswitch != nil {
		t.vswitch.status = Available
	}
	*t = task{}
}

func (e *entry) finish() {
	switch {
	case e.stuck:
		return
	case e.State == Deleting:
		e.remove()
	case e.next != nil:
		e.Route, e.next = *e.next, nil
	}
	e.State = Available
}

// remove takes an entry out of its table, or makes it the system entry again that it was.
func (e *entry) remove() {
	if e.was != nil {
		e.Route, e.was, e.next = *e.was, nil, nil
		return
	}
	e.table.entries = slices.DeleteFunc(e.table.entries, func(o *entry) bool { return o == e })
}

// settles is when the next running task ends; ok is false when none runs.
func (w *world) settles() (at time.Time, ok bool) {
	for _, v := range w.vpcs {
		if v.task.running && (!ok || v.task.ends.Before(at)) {
			at, ok = v.task.ends, true
		}
	}
	return at, ok
}
