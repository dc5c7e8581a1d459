package world

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// AddInstance starts a machine, with the defaults that a seed has.
func (h Hands) AddInstance(i seed.Instance) error {
	return h.live.Change(func(w *World) error {
		sw := w.VSwitch(i.VSwitch)
		switch {
		case i.ID == "":
			return fmt.Errorf("add instance: %w: no id", api.ErrInvalid)
		case w.Instance(i.ID) != nil || w.InstanceAt(i.IP) != nil:
			return fmt.Errorf("add instance %s at %s: %w: id or address is taken", i.ID, i.IP, api.ErrRefused)
		case sw == nil:
			return fmt.Errorf("add instance %s: vSwitch %q: %w", i.ID, i.VSwitch, api.ErrNotFound)
		}
		i, err := w.snapshot().CheckInstance(i)
		if err != nil {
			return err
		}
		w.insertInstance(i)
		w.started[i.ID] = time.Now()
		return nil
	})
}

// RemoveInstance releases a machine as its owner does: refused while a route sends to it,
// as the cloud does with DependencyViolation.RouteEntry.
func (h Hands) RemoveInstance(id string) error {
	return h.live.Change(func(w *World) error {
		i := w.Instance(id)
		if i == nil {
			return fmt.Errorf("remove instance %s: %w", id, api.ErrNotFound)
		}
		if n := len(w.EntriesTo(i)); n > 0 {
			return fmt.Errorf("remove instance %s: %w: DependencyViolation.RouteEntry: %d entries send to it", id, api.ErrRefused, n)
		}
		w.DropInstance(id)
		return nil
	})
}

// ReclaimInstance takes a machine away as the cloud does with an expired or a spot
// instance: routes that send to it stay and lead nowhere.
func (h Hands) ReclaimInstance(id string) error {
	return h.live.Change(func(w *World) error {
		if w.Instance(id) == nil {
			return fmt.Errorf("reclaim instance %s: %w", id, api.ErrNotFound)
		}
		w.DropInstance(id)
		return nil
	})
}

// SetStatus changes a machine's power state, for example to Stopped.
func (h Hands) SetStatus(id, status string) error {
	return h.live.Change(func(w *World) error {
		i := w.Instance(id)
		if i == nil {
			return fmt.Errorf("set status of instance %s: %w", id, api.ErrNotFound)
		}
		if !slices.Contains(seed.InstanceStatuses(), status) {
			return fmt.Errorf("set status of instance %s: %w: %q is none of %s", id, api.ErrInvalid, status, strings.Join(seed.InstanceStatuses(), ", "))
		}
		i.Status = status
		return nil
	})
}

// SetSourceDestCheck turns the check of an interface on or off: of the primary one when it
// gets the id of an instance.
func (h Hands) SetSourceDestCheck(id string, on bool) error {
	return h.live.Change(func(w *World) error {
		if i := w.Instance(id); i != nil {
			i.SourceDestCheck = on
			return nil
		}
		n, ok := w.NIC(id)
		if !ok {
			return fmt.Errorf("set source check of %s: no such instance or interface: %w", id, api.ErrNotFound)
		}
		n.EditInterface(id, func(f *seed.Interface) { f.SourceDestCheck = on })
		return nil
	})
}

// DropInstance takes an instance away, whatever sends to it.
func (w *World) DropInstance(id string) {
	kept := w.Instances[:0:0]
	for _, i := range w.Instances {
		if i.ID != id {
			kept = append(kept, i)
		}
	}
	w.Instances = kept
	delete(w.started, id)
}

// SetGroups puts an interface, named by its own id or, for the primary one, its instance's,
// into these security groups only.
func (h Hands) SetGroups(id string, groups []string) error {
	return h.live.Change(func(w *World) error {
		eni := id
		if i := w.Instance(id); i != nil {
			eni = i.ENI
		}
		n, ok := w.NIC(eni)
		if !ok {
			return fmt.Errorf("set groups of %q: no such instance or interface: %w", id, api.ErrNotFound)
		}
		if err := w.CheckGroups(n.VPC, groups); err != nil {
			return fmt.Errorf("set groups of %q: %w: %w", id, api.ErrInvalid, err)
		}
		n.EditInterface(eni, func(f *seed.Interface) { f.SecurityGroups = slices.Clone(groups) })
		return nil
	})
}
