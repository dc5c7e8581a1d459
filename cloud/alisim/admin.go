package alisim

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/api"
)

// These methods are the hands of people and of the cloud itself: they work at once, past
// every task, quota and rule of the API. Errors are of kinds api.ErrNotFound,
// api.ErrRefused and api.ErrInvalid.

// AddInstance starts a machine, with the defaults that a seed has.
func (s *Sim) AddInstance(i Instance) error {
	return s.byHand(func(w *world) error {
		sw := w.vswitch(i.VSwitch)
		switch {
		case i.ID == "":
			return fmt.Errorf("add instance: %w: no id", api.ErrInvalid)
		case w.instance(i.ID) != nil || w.at(i.IP) != nil:
			return fmt.Errorf("add instance %s at %s: %w: id or address is taken", i.ID, i.IP, api.ErrRefused)
		case sw == nil:
			return fmt.Errorf("add instance %s: vSwitch %q: %w", i.ID, i.VSwitch, api.ErrNotFound)
		case !sw.CIDR.Contains(i.IP):
			return fmt.Errorf("add instance %s: %w: %s is outside of %s", i.ID, api.ErrInvalid, i.IP, sw.CIDR)
		}
		for _, id := range i.SecurityGroups {
			if v, _ := w.group(id); v != sw.vpc {
				return fmt.Errorf("add instance %s: security group %q: %w", i.ID, id, api.ErrNotFound)
			}
		}
		w.insert(i.complete(sw.vpc.ID))
		return nil
	})
}

// RemoveInstance releases a machine as its owner does: refused while a route sends to it,
// as the cloud does with DependencyViolation.RouteEntry.
func (s *Sim) RemoveInstance(id string) error {
	return s.byHand(func(w *world) error {
		i := w.instance(id)
		if i == nil {
			return fmt.Errorf("remove instance %s: %w", id, api.ErrNotFound)
		}
		if n := len(w.pointingAt(i)); n > 0 {
			return fmt.Errorf("remove instance %s: %w: DependencyViolation.RouteEntry: %d entries send to it", id, api.ErrRefused, n)
		}
		w.drop(id)
		return nil
	})
}

// ReclaimInstance takes a machine away as the cloud does with an expired or a spot
// instance: routes that send to it stay and lead nowhere.
func (s *Sim) ReclaimInstance(id string) error {
	return s.byHand(func(w *world) error {
		if w.instance(id) == nil {
			return fmt.Errorf("reclaim instance %s: %w", id, api.ErrNotFound)
		}
		w.drop(id)
		return nil
	})
}

// SetStatus changes a machine's power state, for example to Stopped.
func (s *Sim) SetStatus(id, status string) error {
	return s.byHand(func(w *world) error {
		i := w.instance(id)
		if i == nil {
			return fmt.Errorf("set status of instance %s: %w", id, api.ErrNotFound)
		}
		i.Status = status
		return nil
	})
}

// SetSourceDestCheck turns the check of a machine's interface on or off.
func (s *Sim) SetSourceDestCheck(id string, on bool) error {
	return s.byHand(func(w *world) error {
		i := w.instance(id)
		if i == nil {
			return fmt.Errorf("set source check of instance %s: %w", id, api.ErrNotFound)
		}
		i.SourceDestCheck = on
		return nil
	})
}

// AddRoute puts an entry into a table, Available at once: a foreign hand. The next hop need
// not exist.
func (s *Sim) AddRoute(table string, r Route) error {
	return s.byHand(func(w *world) error {
		t := w.table(table)
		switch {
		case t == nil:
			return fmt.Errorf("add route to %s: %w", table, api.ErrNotFound)
		case !r.Destination.IsValid() || r.Destination != r.Destination.Masked() || !r.Destination.Addr().Is4():
			return fmt.Errorf("add route to %s: %w: destination %s", table, api.ErrInvalid, r.Destination)
		case t.entry(r.Destination) != nil:
			return fmt.Errorf("add route %s to %s: %w: it is there", r.Destination, table, api.ErrRefused)
		}
		r.System = false
		r.NextHopType = cmp.Or(r.NextHopType, HopInstance)
		r.State = cmp.Or(r.State, Available)
		w.enter(t, r, time.Now()).stuck = r.State != Available
		return nil
	})
}

// RemoveRoute takes a custom entry out of a table, whatever its state.
func (s *Sim) RemoveRoute(table string, destination netip.Prefix) error {
	return s.touch("remove route", table, destination, func(e *entry) { e.remove() })
}

// PointRoute changes the next hop of a custom entry to another instance, at once.
func (s *Sim) PointRoute(table string, destination netip.Prefix, instance string) error {
	return s.touch("point route", table, destination, func(e *entry) {
		e.NextHop, e.NextHopType, e.modified = instance, HopInstance, time.Now()
	})
}

func (s *Sim) touch(what, table string, destination netip.Prefix, change func(*entry)) error {
	return s.byHand(func(w *world) error {
		t := w.table(table)
		if t == nil {
			return fmt.Errorf("%s %s in %s: no such table: %w", what, destination, table, api.ErrNotFound)
		}
		e := t.entry(destination)
		if e == nil || e.System {
			return fmt.Errorf("%s %s in %s: no such custom entry: %w", what, destination, table, api.ErrNotFound)
		}
		change(e)
		return nil
	})
}

// byHand changes the model at once and wakes those who wait for changes.
func (s *Sim) byHand(change func(*world) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	if err := change(s.world); err != nil {
		return err
	}
	s.wake()
	return nil
}

func (w *world) drop(id string) {
	kept := w.instances[:0:0]
	for _, i := range w.instances {
		if i.ID != id {
			kept = append(kept, i)
		}
	}
	w.instances = kept
}
