package alisim

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// newWorld builds the model from a seed that was completed and found valid.
func newWorld(from Seed, now time.Time) *world {
	w := &world{
		region: from.Region, zone: from.Zone, account: from.Account, born: now, started: map[string]time.Time{},
	}
	for _, sv := range from.VPCs {
		w.vpcs = append(w.vpcs, w.newVPC(sv, now))
	}
	for _, si := range from.Instances {
		w.insert(si)
	}
	return w
}

func (w *world) newVPC(from VPC, now time.Time) *vpc {
	v := &vpc{VPC: from, status: Available}
	for _, g := range from.SecurityGroups {
		v.groups = append(v.groups, &g)
		w.rules += len(g.Ingress) + len(g.Egress)
	}
	for _, st := range from.Tables {
		v.tables = append(v.tables, &table{Table: st, vpc: v, status: Available})
	}
	for _, ss := range from.VSwitches {
		v.vswitches = append(v.vswitches, &vswitch{VSwitch: ss, vpc: v, table: v.table(ss.Table), status: Available})
	}
	for _, t := range v.tables {
		w.enter(t, Route{Destination: serviceRange(), NextHopType: "service", System: true, State: Available}, now)
		for _, s := range v.vswitches {
			w.enterSystem(t, s, now)
		}
		for _, r := range t.Routes {
			w.seedRoute(t, r, now)
		}
		t.Routes = nil
	}
	v.VPC.Tables, v.VPC.VSwitches, v.VPC.SecurityGroups = nil, nil, nil
	return v
}

// seedRoute puts a seeded entry into a table. One for a vSwitch is the vSwitch's system entry,
// pointed elsewhere.
func (w *world) seedRoute(t *table, r Route, now time.Time) {
	e := t.entry(r.Destination)
	if e == nil {
		e = w.enter(t, r, now)
	} else {
		was := e.Route
		r.ID = was.ID
		e.Route, e.was = r, &was
	}
	e.stuck = r.State != Available
}

// enterSystem puts the entries for a vSwitch into a table.
func (w *world) enterSystem(t *table, s *vswitch, now time.Time) {
	for _, p := range [...]netip.Prefix{s.CIDR, s.IPv6} {
		if p.IsValid() {
			w.enter(t, Route{Destination: p, NextHopType: "local", System: true, State: Available}, now)
		}
	}
}

// enter puts an entry into a table and gives it an id.
func (w *world) enter(t *table, r Route, now time.Time) *entry {
	w.serial++
	r.ID = entryID(w.serial)
	e := &entry{Route: r, table: t, serial: w.serial, modified: now}
	t.entries = append(t.entries, e)
	return e
}

func entryID(serial int) string { return fmt.Sprintf("rte-sim%017d", serial) }

func (w *world) insert(i Instance) {
	w.instances = append(w.instances, &i)
	slices.SortFunc(w.instances, func(a, b *Instance) int { return cmp.Compare(a.ID, b.ID) })
}
