package alisim

import "slices"

// nic is an interface together with the instance that has it.
type nic struct {
	*Instance
	Interface
	primary bool
	device  int // index on the instance, 0 for the primary
}

// nics lists the interfaces of all instances, in order of the instances' ids.
func (w *world) nics() []nic {
	var out []nic
	for _, i := range w.instances {
		for n, f := range i.Attached() {
			out = append(out, nic{i, f, n == 0, n})
		}
	}
	return out
}

// nic finds an interface by its id.
func (w *world) nic(id string) (nic, bool) {
	all := w.nics()
	n := slices.IndexFunc(all, func(n nic) bool { return n.Interface.ID == id })
	if n < 0 {
		return nic{}, false
	}
	return all[n], true
}

// edit changes one interface of the instance where it stands.
func (i *Instance) edit(id string, change func(*Interface)) {
	if id == i.ENI {
		f := i.Primary()
		change(&f)
		i.SourceDestCheck, i.SecurityGroups = f.SourceDestCheck, f.SecurityGroups
		return
	}
	for n := range i.Interfaces {
		if i.Interfaces[n].ID == id {
			change(&i.Interfaces[n])
		}
	}
}

// joinable says whether an interface in a VPC may be in these groups: they are there, and of
// one type.
func (w *world) joinable(vpc string, groups []string) error {
	kind := ""
	for _, id := range groups {
		v, g := w.group(id)
		switch {
		case g == nil || v.ID != vpc:
			return refuse("InvalidSecurityGroupId.NotFound")
		case kind != "" && kind != g.Type:
			return refuse("InvalidOperation.MultiGroupTypes")
		}
		kind = g.Type
	}
	return nil
}
