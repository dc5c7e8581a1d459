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
