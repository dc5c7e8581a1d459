package world

import (
	"maps"
	"slices"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// clone copies the world with all that it holds.
func (w *World) clone() *World {
	out := *w
	out.started = maps.Clone(w.started)
	out.VPCs = Mapped(w.VPCs, (*VPC).clone)
	out.Instances = Mapped(w.Instances, func(i *seed.Instance) *seed.Instance { c := i.Clone(); return &c })
	return &out
}

func (v *VPC) clone() *VPC {
	out := *v
	tables, entries, vswitches := map[*Table]*Table{}, map[*Entry]*Entry{}, map[*VSwitch]*VSwitch{}
	out.Tables = Mapped(v.Tables, func(t *Table) *Table {
		c := *t
		c.VPC, tables[t] = &out, &c
		c.Entries = Mapped(t.Entries, func(e *Entry) *Entry {
			n := *e
			n.Table, entries[e] = &c, &n
			return &n
		})
		return &c
	})
	out.VSwitches = Mapped(v.VSwitches, func(s *VSwitch) *VSwitch {
		c := *s
		c.VPC, c.Uses, vswitches[s] = &out, tables[s.Uses], &c
		return &c
	})
	out.Groups = Mapped(v.Groups, func(g *seed.SecurityGroup) *seed.SecurityGroup { c := g.Clone(); return &c })
	of := func(e *Entry) *Entry { return entries[e] }
	// An entry of the task may have been removed by hand meanwhile.
	out.task.entries = slices.DeleteFunc(Mapped(v.task.entries, of), func(e *Entry) bool { return e == nil })
	out.task.vanished = slices.DeleteFunc(Mapped(v.task.vanished, of), func(e *Entry) bool { return e == nil })
	out.task.vswitch = vswitches[v.task.vswitch]
	return &out
}

// snapshot is the world as a seed would describe it, with every default filled in. Tables hold
// their custom entries only. The caller owns it.
func (w *World) snapshot() seed.Seed {
	out := seed.Seed{Region: w.Region, Zone: w.zone, Account: w.Account}
	for _, v := range w.VPCs {
		out.VPCs = append(out.VPCs, v.snapshot())
	}
	for _, i := range w.Instances {
		out.Instances = append(out.Instances, i.Clone())
	}
	return out
}

func (v *VPC) snapshot() seed.VPC {
	out := v.VPC
	out.Secondary, out.UserCIDRs = slices.Clone(v.Secondary), slices.Clone(v.UserCIDRs)
	out.Tags = maps.Clone(v.Tags)
	for _, sw := range v.VSwitches {
		c := sw.VSwitch
		c.Table, c.Tags = sw.Uses.ID, maps.Clone(sw.Tags)
		out.VSwitches = append(out.VSwitches, c)
	}
	for _, t := range v.Tables {
		c := t.Table
		c.Tags = maps.Clone(t.Tags)
		c.Routes = slices.DeleteFunc(t.routes(), func(r seed.Route) bool { return r.System })
		out.Tables = append(out.Tables, c)
	}
	for _, g := range v.Groups {
		out.SecurityGroups = append(out.SecurityGroups, g.Clone())
	}
	return out
}

func (t *Table) routes() []seed.Route {
	out := make([]seed.Route, 0, len(t.Entries))
	for _, e := range t.Entries {
		out = append(out, e.Route)
	}
	return out
}
