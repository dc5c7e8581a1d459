package alisim

import (
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
)

// tableLimit is how many custom tables a VPC has (vpc_quota_route_tables_num).
const tableLimit = 9

// AddVSwitch makes a vSwitch and its system entries in every table of the VPC. As in the
// cloud it is refused when it equals or contains the destination of a custom entry.
func (s *Sim) AddVSwitch(vpc string, sw VSwitch) error {
	return s.byHand(func(w *world) error {
		v := w.vpc(vpc)
		if v == nil {
			return fmt.Errorf("add vSwitch %s: VPC %q: %w", sw.ID, vpc, api.ErrNotFound)
		}
		c := w.checker()
		all := v.snapshot()
		all.VSwitches = append(all.VSwitches, sw)
		for _, t := range all.Tables {
			c.tables[t.ID] = v.ID
		}
		sw = c.vswitch("vSwitch", all, len(all.VSwitches)-1, w.zone)
		if err := v.mustNotHold(sw); sw.CIDR.IsValid() && err != nil {
			return fmt.Errorf("add vSwitch %s: %w: %w", sw.ID, api.ErrRefused, err)
		}
		if err := c.err("add vSwitch " + sw.ID); err != nil {
			return err
		}
		made := &vswitch{VSwitch: sw, vpc: v, table: v.table(sw.Table), status: Available}
		v.vswitches = append(v.vswitches, made)
		for _, t := range v.tables {
			w.enterSystem(t, made, time.Now())
		}
		return nil
	})
}

// AddTable makes a custom table, with system entries only.
func (s *Sim) AddTable(vpc string, t Table) error {
	return s.byHand(func(w *world) error {
		v := w.vpc(vpc)
		switch {
		case v == nil:
			return fmt.Errorf("add table %s: VPC %q: %w", t.ID, vpc, api.ErrNotFound)
		case t.System || len(t.Routes) > 0:
			return fmt.Errorf("add table %s: %w: a new table is a custom one and has no custom entries", t.ID, api.ErrInvalid)
		case len(v.tables) > tableLimit:
			return fmt.Errorf("add table %s: %w: QuotaExceeded: the VPC has %d custom tables", t.ID, api.ErrRefused, tableLimit)
		}
		c := w.checker()
		t = c.table("table", t, v.ID)
		if err := c.err("add table " + t.ID); err != nil {
			return err
		}
		made := &table{Table: t, vpc: v, status: Available}
		v.tables = append(v.tables, made)
		now := time.Now()
		w.enter(made, Route{Destination: serviceRange(), NextHopType: "service", System: true, State: Available}, now)
		for _, sw := range v.vswitches {
			w.enterSystem(made, sw, now)
		}
		return nil
	})
}

// Associate moves a vSwitch to another table of its VPC, at once.
func (s *Sim) Associate(vswitch, table string) error {
	return s.byHand(func(w *world) error {
		sw, t := w.vswitch(vswitch), w.table(table)
		switch {
		case sw == nil || t == nil || sw.vpc != t.vpc:
			return fmt.Errorf("associate vSwitch %q with table %q: %w", vswitch, table, api.ErrNotFound)
		case t.Gateway:
			return fmt.Errorf("associate vSwitch %s: %w: %s is a gateway table", vswitch, api.ErrRefused, table)
		}
		sw.table = t
		return nil
	})
}

// SetState puts a VPC, a vSwitch or a table into a state, until it is set again: anything
// but Available makes changes refused with IncorrectVpcStatus and the like.
func (s *Sim) SetState(id string, state State) error {
	return s.byHand(func(w *world) error {
		if !state.known() {
			return fmt.Errorf("set state of %q: %w: %q is none of Available, Pending, Modifying, Deleting", id, api.ErrInvalid, state)
		}
		if v := w.vpc(id); v != nil {
			v.status = state
			return nil
		}
		if sw := w.vswitch(id); sw != nil {
			sw.status = state
			return nil
		}
		if t := w.table(id); t != nil {
			t.status = state
			return nil
		}
		return fmt.Errorf("set state of %q: no such VPC, vSwitch or table: %w", id, api.ErrNotFound)
	})
}

// SetTaskTime is how long changes of one VPC take from the next one on; 0 is the time of the
// options.
func (s *Sim) SetTaskTime(vpc string, d time.Duration) error {
	return s.byHand(func(w *world) error {
		v := w.vpc(vpc)
		if v == nil {
			return fmt.Errorf("set task time: VPC %q: %w", vpc, api.ErrNotFound)
		}
		v.TaskTime = Duration(max(0, d))
		return nil
	})
}

// SetQuota is how many custom entries a table may hold from now on.
func (s *Sim) SetQuota(table string, entries int) error {
	return s.byHand(func(w *world) error {
		t := w.table(table)
		if t == nil || entries < 0 {
			return fmt.Errorf("set quota of table %q to %d: %w", table, entries, api.ErrNotFound)
		}
		t.Quota = entries
		return nil
	})
}

// SetGroups puts an interface, named by its own id or, for the primary one, its instance's,
// into these security groups only.
func (s *Sim) SetGroups(id string, groups []string) error {
	return s.byHand(func(w *world) error {
		eni := id
		if i := w.instance(id); i != nil {
			eni = i.ENI
		}
		n, ok := w.nic(eni)
		if !ok {
			return fmt.Errorf("set groups of %q: no such instance or interface: %w", id, api.ErrNotFound)
		}
		if err := w.joinable(n.VPC, groups); err != nil {
			return fmt.Errorf("set groups of %q: %w: %w", id, api.ErrInvalid, err)
		}
		n.edit(eni, func(f *Interface) { f.SecurityGroups = slices.Clone(groups) })
		return nil
	})
}
