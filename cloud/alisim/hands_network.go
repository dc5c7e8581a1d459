package alisim

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/api"
)

// tableLimit is how many custom tables a VPC has (vpc_quota_route_tables_num).
const tableLimit = 9

// AddVSwitch makes a vSwitch and its system entries in every table of the VPC. As in the
// cloud it is refused when it equals or contains the destination of a custom entry.
func (h Hands) AddVSwitch(vpc string, sw VSwitch) error {
	return h.live.Change(func(w *world) error {
		v := w.vpc(vpc)
		if v == nil {
			return fmt.Errorf("add vSwitch %s: VPC %q: %w", sw.ID, vpc, api.ErrNotFound)
		}
		sw, err := w.snapshot().checkVSwitch(vpc, sw)
		if bad := v.mustNotHold(sw); sw.CIDR.IsValid() && bad != nil {
			return fmt.Errorf("add vSwitch %s: %w: %w", sw.ID, api.ErrRefused, bad)
		}
		if err != nil {
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
func (h Hands) AddTable(vpc string, t Table) error {
	return h.live.Change(func(w *world) error {
		v := w.vpc(vpc)
		switch {
		case v == nil:
			return fmt.Errorf("add table %s: VPC %q: %w", t.ID, vpc, api.ErrNotFound)
		case t.System || len(t.Routes) > 0:
			return fmt.Errorf("add table %s: %w: a new table is a custom one and has no custom entries", t.ID, api.ErrInvalid)
		case len(v.tables) > tableLimit:
			return fmt.Errorf("add table %s: %w: QuotaExceeded: the VPC has %d custom tables", t.ID, api.ErrRefused, tableLimit)
		}
		t, err := w.snapshot().checkTable(vpc, t)
		if err != nil {
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
func (h Hands) Associate(vswitch, table string) error {
	return h.live.Change(func(w *world) error {
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
func (h Hands) SetState(id string, state State) error {
	return h.live.Change(func(w *world) error {
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
func (h Hands) SetTaskTime(vpc string, d time.Duration) error {
	return h.live.Change(func(w *world) error {
		v := w.vpc(vpc)
		if v == nil {
			return fmt.Errorf("set task time: VPC %q: %w", vpc, api.ErrNotFound)
		}
		v.TaskTime = Duration(max(0, d))
		return nil
	})
}

// SetQuota is how many custom entries a table may hold from now on.
func (h Hands) SetQuota(table string, entries int) error {
	return h.live.Change(func(w *world) error {
		t := w.table(table)
		if t == nil || entries < 0 {
			return fmt.Errorf("set quota of table %q to %d: %w", table, entries, api.ErrNotFound)
		}
		t.Quota = entries
		return nil
	})
}

// mustNotHold says why a vSwitch may not be made: it equals or contains the destination of
// a custom entry of the VPC, or overlaps another vSwitch.
func (v *vpc) mustNotHold(s VSwitch) error {
	for _, o := range v.vswitches {
		if o.CIDR.Overlaps(s.CIDR) {
			return fmt.Errorf("InvalidCidrBlock.Overlapped: %s overlaps %s of %s", s.CIDR, o.CIDR, o.ID)
		}
	}
	for _, t := range v.tables {
		for _, e := range t.entries {
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
func (h Hands) SetSecurityGroup(vpc string, g SecurityGroup) error {
	return h.live.Change(func(w *world) error {
		v := w.vpc(vpc)
		if v == nil {
			return fmt.Errorf("set security group %s: VPC %q: %w", g.ID, vpc, api.ErrNotFound)
		}
		if of, _ := w.group(g.ID); of != nil && of != v {
			return fmt.Errorf("set security group %s: %w: it is in %s", g.ID, api.ErrRefused, of.ID)
		}
		g, rules, err := w.snapshot().checkGroup(vpc, g, w.rules)
		if err != nil {
			return err
		}
		w.rules = rules
		if _, old := w.group(g.ID); old != nil {
			*old = g
			return nil
		}
		v.groups = append(v.groups, &g)
		return nil
	})
}
