package world

import (
	"slices"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// NIC is an interface together with the instance that has it.
type NIC struct {
	*seed.Instance
	seed.Interface
	IsPrimary bool
	Device    int // index on the instance, 0 for the primary
}

// NICs lists the interfaces of all instances, in order of the instances' ids.
func (w *World) NICs() []NIC {
	var out []NIC
	for _, i := range w.Instances {
		for n, f := range i.Attached() {
			out = append(out, NIC{i, f, n == 0, n})
		}
	}
	return out
}

// NIC finds an interface by its id.
func (w *World) NIC(id string) (NIC, bool) {
	all := w.NICs()
	n := slices.IndexFunc(all, func(n NIC) bool { return n.Interface.ID == id })
	if n < 0 {
		return NIC{}, false
	}
	return all[n], true
}

// CheckGroups says whether an interface in a VPC may be in these groups: they are there, and of
// one type.
func (w *World) CheckGroups(vpc string, groups []string) error {
	kind := ""
	for _, id := range groups {
		v, g := w.SecurityGroup(id)
		switch {
		case g == nil || v.ID != vpc:
			return NewRefusal("InvalidSecurityGroupId.NotFound")
		case kind != "" && kind != g.Type:
			return NewRefusal("InvalidOperation.MultiGroupTypes")
		}
		kind = g.Type
	}
	return nil
}
