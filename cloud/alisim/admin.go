package alisim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
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
		}
		c := w.checker()
		i = c.instance("instance", i)
		if err := c.err("add instance " + i.ID); err != nil {
			return err
		}
		w.insert(i)
		w.started[i.ID] = time.Now()
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
		if !slices.Contains(powers(), status) {
			return fmt.Errorf("set status of instance %s: %w: %q is none of %s", id, api.ErrInvalid, status, strings.Join(powers(), ", "))
		}
		i.Status = status
		return nil
	})
}

// SetSourceDestCheck turns the check of an interface on or off: of the primary one when it
// gets the id of an instance.
func (s *Sim) SetSourceDestCheck(id string, on bool) error {
	return s.byHand(func(w *world) error {
		if i := w.instance(id); i != nil {
			i.SourceDestCheck = on
			return nil
		}
		n, ok := w.nic(id)
		if !ok {
			return fmt.Errorf("set source check of %s: no such instance or interface: %w", id, api.ErrNotFound)
		}
		n.edit(id, func(f *Interface) { f.SourceDestCheck = on })
		return nil
	})
}

// SetSecurityGroup replaces a security group's rules, name, type and inner access; one that is
// not there is made in the VPC.
func (s *Sim) SetSecurityGroup(vpc string, g SecurityGroup) error {
	return s.byHand(func(w *world) error {
		v := w.vpc(vpc)
		if v == nil {
			return fmt.Errorf("set security group %s: VPC %q: %w", g.ID, vpc, api.ErrNotFound)
		}
		if of, _ := w.group(g.ID); of != nil && of != v {
			return fmt.Errorf("set security group %s: %w: it is in %s", g.ID, api.ErrRefused, of.ID)
		}
		c := w.checker()
		if of, _ := w.group(g.ID); of != nil {
			delete(c.ids, g.ID) // it replaces itself
		}
		c.groups[g.ID] = vpc
		g = c.group("securityGroup", g, vpc)
		if err := c.err("set security group " + g.ID); err != nil {
			return err
		}
		w.rules = c.rules
		if _, old := w.group(g.ID); old != nil {
			*old = g
			return nil
		}
		v.groups = append(v.groups, &g)
		return nil
	})
}

// AddRoute puts an entry into a table, Available at once: a foreign hand. The next hop need
// not exist.
func (s *Sim) AddRoute(table string, r Route) error {
	return s.byHand(func(w *world) error { return w.addRoute(table, r) })
}

// RemoveRoute takes a custom entry out of a table, whatever its state.
func (s *Sim) RemoveRoute(table string, destination netip.Prefix) error {
	return s.Edit(Edit{Verb: RemoveEntry, Table: table, Destination: destination})
}

// PointRoute changes the next hop of a custom entry to another instance, at once.
func (s *Sim) PointRoute(table string, destination netip.Prefix, instance string) error {
	return s.Edit(Edit{Verb: PointEntry, Table: table, Destination: destination, NextHop: instance})
}

// Edit does what a foreign hand does, see [Edit].
func (s *Sim) Edit(e Edit) error {
	return s.byHand(func(w *world) error { return w.apply(e) })
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
	delete(w.started, id)
}
