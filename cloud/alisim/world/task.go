package world

import (
	"cmp"
	"slices"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// BeginTask starts a change of these entries; it must be checked before that none is running.
func (w *World) BeginTask(v *VPC, now time.Time, entries []*Entry) {
	for _, e := range entries {
		e.Modified = now
	}
	length := cmp.Or(time.Duration(v.TaskTime), w.TaskTime)
	v.task = task{running: true, ends: now.Add(length), entries: entries}
	w.Touch()
}

// ModifyEntry starts the change of an entry. What it was stays in force until the task ends.
func (w *World) ModifyEntry(e *Entry, next seed.Route, now time.Time) {
	if w.Readings.NewEntryID == Allow {
		w.Serial++
		next.ID = entryID(w.Serial)
	}
	if e.System {
		was := e.Route
		e.was, next.System = &was, false
	}
	e.State, e.next = seed.Modifying, &next
	w.BeginTask(e.Table.VPC, now, []*Entry{e})
}

// AssociateVSwitch starts to move a vSwitch to another table, which serves it at once, though the
// task still runs.
func (w *World) AssociateVSwitch(s *VSwitch, t *Table, now time.Time) {
	s.Uses, s.Status = t, seed.Pending
	w.BeginTask(t.VPC, now, nil)
	t.VPC.task.vswitch = s
}

// IsMaking reports whether the task that makes the entry still runs.
func (e *Entry) IsMaking() bool { return e.State == seed.Pending && !e.stuck }

// IsMoving reports whether the task that moves the vSwitch still runs.
func (s *VSwitch) IsMoving() bool { return s.VPC.task.vswitch == s }

// StickSince makes what was made after a serial number stay Pending for ever; or, to vanish,
// go when its task ends.
func (w *World) StickSince(serial int, vanish bool) {
	for _, v := range w.VPCs {
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
func (w *World) settle(now time.Time) bool {
	changed := false
	for _, v := range w.VPCs {
		if v.task.running && !now.Before(v.task.ends) {
			v.task.finish()
			changed = true
		}
	}
	return changed
}

func (t *task) finish() {
	for _, e := range t.entries {
		e.finishChange()
	}
	for _, e := range t.vanished {
		e.removeEntry()
	}
	if t.vswitch != nil {
		t.vswitch.Status = seed.Available
	}
	*t = task{}
}

func (e *Entry) finishChange() {
	switch {
	case e.stuck:
		return
	case e.State == seed.Deleting:
		e.removeEntry()
	case e.next != nil:
		e.Route, e.next = *e.next, nil
	}
	e.State = seed.Available
}

// removeEntry takes an entry out of its table, or makes it the system entry again that it was.
func (e *Entry) removeEntry() {
	if e.was != nil {
		e.Route, e.was, e.next = *e.was, nil, nil
		return
	}
	e.Table.Entries = slices.DeleteFunc(e.Table.Entries, func(o *Entry) bool { return o == e })
}

// nextEnd is when the next running task ends; ok is false when none runs.
func (w *World) nextEnd() (at time.Time, ok bool) {
	for _, v := range w.VPCs {
		if v.task.running && (!ok || v.task.ends.Before(at)) {
			at, ok = v.task.ends, true
		}
	}
	return at, ok
}
