package alisim

import (
	"maps"
	"slices"
)

// snapshot is the world as a seed would describe it, with every default filled in. Tables hold
// their custom entries only. The caller owns it.
func (w *world) snapshot() Seed {
	out := Seed{Region: w.region, Zone: w.zone, Account: w.account}
	for _, v := range w.vpcs {
		out.VPCs = append(out.VPCs, v.snapshot())
	}
	for _, i := range w.instances {
		out.Instances = append(out.Instances, i.clone())
	}
	return out
}

func (v *vpc) snapshot() VPC {
	out := v.VPC
	out.Secondary, out.UserCIDRs = slices.Clone(v.Secondary), slices.Clone(v.UserCIDRs)
	out.Tags = maps.Clone(v.Tags)
	for _, sw := range v.vswitches {
		c := sw.VSwitch
		c.Table, c.Tags = sw.table.ID, maps.Clone(sw.Tags)
		out.VSwitches = append(out.VSwitches, c)
	}
	for _, t := range v.tables {
		c := t.Table
		c.Tags = maps.Clone(t.Tags)
		c.Routes = slices.DeleteFunc(t.routes(), func(r Route) bool { return r.System })
		out.Tables = append(out.Tables, c)
	}
	for _, g := range v.groups {
		out.SecurityGroups = append(out.SecurityGroups, g.clone())
	}
	return out
}

func (t *table) routes() []Route {
	out := make([]Route, 0, len(t.entries))
	for _, e := range t.entries {
		out = append(out, e.Route)
	}
	return out
}
