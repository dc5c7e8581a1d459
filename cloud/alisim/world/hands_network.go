package world

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// tableLimit is how many custom tables a VPC has (vpc_quota_route_tables_num).
const tableLimit = 9

// AddVSwitch makes a vSwitch and its system entries in every table of the VPC. As in the
// cloud it is refused when it equals or contains the destination of a custom entry.
func (h Hands) AddVSwitch(vpc string, sw seed.VSwitch) error {
	return h.live.Change(func(w *World) error {
		v := w.VPC(vpc)
		if v == nil {
			return fmt.Errorf("add vSwitch %s: VPC %q: %w", sw.ID, vpc, api.ErrNotFound)
		}
		sw, err := w.snapshot().CheckVSwitch(vpc, sw)
		if bad := v.checkDestinationsIn(sw); sw.CIDR.IsValid() && bad != nil {
			return fmt.Errorf("add vSwitch %s: %w: %w", sw.ID, api.ErrRefused, bad)
		}
		if err != nil {
			return err
		}
		made := &VSwitch{VSwitch: sw, VPC: v, Uses: v.tableByID(sw.Table), Status: seed.Available}
		v.VSwitches = append(v.VSwitches, made)
		for _, t := range v.Tables {
			w.enterSystemEntries(t, made, time.Now())
		}
		return nil
	})
}

// AddTable makes a custom table, with system entries only.
func (h Hands) AddTable(vpc string, t seed.Table) error {
	return h.live.Change(func(w *World) error {
		v := w.VPC(vpc)
		switch {
		case v == nil:
			return fmt.Errorf("add table %s: VPC %q: %w", t.ID, vpc, api.ErrNotFound)
		case t.System || len(t.Routes) > 0:
			return fmt.Errorf("add table %s: %w: a new table is a custom one and has no custom entries", t.ID, api.ErrInvalid)
		case len(v.Tables) > tableLimit:
			return fmt.Errorf("add table %s: %w: QuotaExceeded: the VPC has %d custom tables", t.ID, api.ErrRefused, tableLimit)
		}
		t, err := w.snapshot().CheckTable(vpc, t)
		if err != nil {
			return err
		}
		made := &Table{Table: t, VPC: v, Status: seed.Available}
		v.Tables = append(v.Tables, made)
		now := time.Now()
		w.enterEntry(made, seed.Route{Destination: seed.ServiceRange(), NextHopType: "service", System: true, State: seed.Available}, now)
		for _, sw := range v.VSwitches {
			w.enterSystemEntries(made, sw, now)
		}
		return nil
	})
}

// Associate moves a vSwitch to another table of its VPC, at once.
func (h Hands) Associate(vswitch, table string) error {
	return h.live.Change(func(w *World) error {
		sw, t := w.VSwitch(vswitch), w.Table(table)
		switch {
		case sw == nil || t == nil || sw.VPC != t.VPC:
			return fmt.Errorf("associate vSwitch %q with table %q: %w", vswitch, table, api.ErrNotFound)
		case t.Gateway:
			return fmt.Errorf("associate vSwitch %s: %w: %s is a gateway table", vswitch, api.ErrRefused, table)
		}
		sw.Uses = t
		return nil
	})
}

// SetState puts a VPC, a vSwitch or a table into a state, until it is set again: anything
// but Available makes changes refused with IncorrectVpcStatus and the like.
func (h Hands) SetState(id string, state seed.State) error {
	return h.live.Change(func(w *World) error {
		if !state.Known() {
			return fmt.Errorf("set state of %q: %w: %q is none of Available, Pending, Modifying, Deleting", id, api.ErrInvalid, state)
		}
		if v := w.VPC(id); v != nil {
			v.Status = state
			return nil
		}
		if sw := w.VSwitch(id); sw != nil {
			sw.Status = state
			return nil
		}
		if t := w.Table(id); t != nil {
			t.Status = state
			return nil
		}
		return fmt.Errorf("set state of %q: no such VPC, vSwitch or table: %w", id, api.ErrNotFound)
	})
}

// SetTaskTime is how long changes of one VPC take from the next one on; 0 is the time of the
// options.
func (h Hands) SetTaskTime(vpc string, d time.Duration) error {
	return h.live.Change(func(w *World) error {
		v := w.VPC(vpc)
		if v == nil {
			return fmt.Errorf("set task time: VPC %q: %w", vpc, api.ErrNotFound)
		}
		v.TaskTime = seed.Duration(max(0, d))
		return nil
	})
}

// SetQuota is how many custom entries a table may hold from now on.
func (h Hands) SetQuota(table string, entries int) error {
	return h.live.Change(func(w *World) error {
		t := w.Table(table)
		if t == nil || entries < 0 {
			return fmt.Errorf("set quota of table %q to %d: %w", table, entries, api.ErrNotFound)
		}
		t.Quota = entries
		return nil
	})
}

// checkDestinationsIn says why a vSwitch may not be made: it equals or contains the destination of
// a custom entry of the VPC, or overlaps another vSwitch.
func (v *VPC) checkDestinationsIn(s seed.VSwitch) error {
	for _, o := range v.VSwitches {
		if o.CIDR.Overlaps(s.CIDR) {
			return fmt.Errorf("InvalidCidrBlock.Overlapped: %s overlaps %s of %s", s.CIDR, o.CIDR, o.ID)
		}
	}
	for _, t := range v.Tables {
		for _, e := range t.Entries {
			for _, p := range [...]netip.Prefix{s.CIDR, s.IPv6} {
				if !e.System && p.Contains(e.Destination.Addr()) && e.Destination.Bits() >= p.Bits() {
					return fmt.Errorf("InvalidCidrBlock.Overlapped: %s holds the destination %s of an entry in %s", p, e.Destination, t.ID)
				}
			}
		}
	}
	return nil
}

// SetSecurityGroup replaces a security group's rules, name, type and inner access; one that is
// not there is made in the VPC.
func (h Hands) SetSecurityGroup(vpc string, g seed.SecurityGroup) error {
	return h.live.Change(func(w *World) error {
		v := w.VPC(vpc)
		if v == nil {
			return fmt.Errorf("set security group %s: VPC %q: %w", g.ID, vpc, api.ErrNotFound)
		}
		if of, _ := w.SecurityGroup(g.ID); of != nil && of != v {
			return fmt.Errorf("set security group %s: %w: it is in %s", g.ID, api.ErrRefused, of.ID)
		}
		g, rules, err := w.snapshot().CheckGroup(vpc, g, w.rules)
		if err != nil {
			return err
		}
		w.rules = rules
		if _, old := w.SecurityGroup(g.ID); old != nil {
			*old = g
			return nil
		}
		v.Groups = append(v.Groups, &g)
		return nil
	})
}
