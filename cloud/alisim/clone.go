package alisim

import (
	"maps"
	"slices"
)

// clone copies the world with all that it holds.
func (w *world) clone() *world {
	out := *w
	out.started = maps.Clone(w.started)
	out.vpcs = mapped(w.vpcs, (*vpc).clone)
	out.instances = mapped(w.instances, func(i *Instance) *Instance { c := i.clone(); return &c })
	return &out
}

func (v *vpc) clone() *vpc {
	out := *v
	tables, entries, vswitches := map[*table]*table{}, map[*entry]*entry{}, map[*vswitch]*vswitch{}
	out.tables = mapped(v.tables, func(t *table) *table {
		c := *t
		c.vpc, tables[t] = &out, &c
		c.entries = mapped(t.entries, func(e *entry) *entry {
			n := *e
			n.table, entries[e] = &c, &n
			return &n
		})
		return &c
	})
	out.vswitches = mapped(v.vswitches, func(s *vswitch) *vswitch {
		c := *s
		c.vpc, c.table, vswitches[s] = &out, tables[s.table], &c
		return &c
	})
	out.groups = mapped(v.groups, func(g *SecurityGroup) *SecurityGroup { c := g.clone(); return &c })
	of := func(e *entry) *entry { return entries[e] }
	// An entry of the task may have been removed by hand meanwhile.
	out.task.entries = slices.DeleteFunc(mapped(v.task.entries, of), func(e *entry) bool { return e == nil })
	out.task.vanished = slices.DeleteFunc(mapped(v.task.vanished, of), func(e *entry) bool { return e == nil })
	out.task.vswitch = vswitches[v.task.vswitch]
	return &out
}
