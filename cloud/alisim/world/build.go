package world

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// newWorld builds the model from a seed that was completed and found valid.
func newWorld(from seed.Seed, now time.Time) *World {
	w := &World{
		Region: from.Region, zone: from.Zone, Account: from.Account, Born: now, started: map[string]time.Time{},
	}
	for _, sv := range from.VPCs {
		w.VPCs = append(w.VPCs, w.newVPC(sv, now))
	}
	for _, si := range from.Instances {
		w.insertInstance(si)
	}
	return w
}

func (w *World) newVPC(from seed.VPC, now time.Time) *VPC {
	v := &VPC{VPC: from, Status: seed.Available}
	for _, g := range from.SecurityGroups {
		v.Groups = append(v.Groups, &g)
		w.rules += len(g.Ingress) + len(g.Egress)
	}
	for _, st := range from.Tables {
		v.Tables = append(v.Tables, &Table{Table: st, VPC: v, Status: seed.Available})
	}
	for _, ss := range from.VSwitches {
		v.VSwitches = append(v.VSwitches, &VSwitch{VSwitch: ss, VPC: v, Uses: v.tableByID(ss.Table), Status: seed.Available})
	}
	for _, t := range v.Tables {
		w.enterEntry(t, seed.Route{Destination: seed.ServiceRange(), NextHopType: "service", System: true, State: seed.Available}, now)
		for _, s := range v.VSwitches {
			w.enterSystemEntries(t, s, now)
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
func (w *World) seedRoute(t *Table, r seed.Route, now time.Time) {
	e := t.EntryFor(r.Destination)
	if e == nil {
		e = w.enterEntry(t, r, now)
	} else {
		was := e.Route
		r.ID = was.ID
		e.Route, e.was = r, &was
	}
	e.stuck = r.State != seed.Available
}

// enterSystemEntries puts the entries for a vSwitch into a table.
func (w *World) enterSystemEntries(t *Table, s *VSwitch, now time.Time) {
	for _, p := range [...]netip.Prefix{s.CIDR, s.IPv6} {
		if p.IsValid() {
			w.enterEntry(t, seed.Route{Destination: p, NextHopType: "local", System: true, State: seed.Available}, now)
		}
	}
}

// enterEntry puts an entry into a table and gives it an id.
func (w *World) enterEntry(t *Table, r seed.Route, now time.Time) *Entry {
	w.Serial++
	r.ID = entryID(w.Serial)
	e := &Entry{Route: r, Table: t, serial: w.Serial, Modified: now}
	t.Entries = append(t.Entries, e)
	return e
}

func (w *World) insertInstance(i seed.Instance) {
	w.Instances = append(w.Instances, &i)
	slices.SortFunc(w.Instances, func(a, b *seed.Instance) int { return cmp.Compare(a.ID, b.ID) })
}
