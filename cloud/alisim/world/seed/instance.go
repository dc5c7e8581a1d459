package seed

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Primary is the instance's primary interface, which its own fields describe.
func (i Instance) Primary() Interface {
	return Interface{
		ID: i.ENI, MAC: i.MAC, VSwitch: i.VSwitch, IP: i.IP, MoreIPs: i.MoreIPs, IPv6: i.IPv6,
		SecurityGroups: i.SecurityGroups, SourceDestCheck: i.SourceDestCheck,
	}
}

// Attached are all interfaces of the instance, the primary one first.
func (i Instance) Attached() []Interface {
	return append([]Interface{i.Primary()}, i.Interfaces...)
}

// Hop finds where a route's next hop leads: the id of an instance to its primary interface,
// the id of an interface to that one. ok is false when nothing has the id.
func (s Seed) Hop(id string) (at Instance, by Interface, ok bool) {
	for _, i := range s.Instances {
		for n, f := range i.Attached() {
			if f.ID == id || n == 0 && i.ID == id {
				return i, f, true
			}
		}
	}
	return Instance{}, Interface{}, false
}

// EditInterface changes one interface of the instance where it stands.
func (i *Instance) EditInterface(id string, change func(*Interface)) {
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

// Clone copies an instance with all that it points at.
func (i Instance) Clone() Instance {
	i.MoreIPs, i.IPv6 = slices.Clone(i.MoreIPs), slices.Clone(i.IPv6)
	i.SecurityGroups, i.Tags = slices.Clone(i.SecurityGroups), maps.Clone(i.Tags)
	i.Interfaces = slices.Clone(i.Interfaces)
	for n, f := range i.Interfaces {
		f.MoreIPs, f.IPv6, f.SecurityGroups = slices.Clone(f.MoreIPs), slices.Clone(f.IPv6), slices.Clone(f.SecurityGroups)
		f.Tags = maps.Clone(f.Tags)
		i.Interfaces[n] = f
	}
	return i
}

// withDefaults fills in an instance's defaults and those of its interfaces.
func (i Instance) withDefaults(vpc string) Instance {
	i.VPC = vpc
	i.Name = cmp.Or(i.Name, i.ID)
	i.Status = cmp.Or(i.Status, Running)
	i.ENI = cmp.Or(i.ENI, "eni-"+BareID("i", i.ID))
	i.HTTPTokens = cmp.Or(i.HTTPTokens, "optional")
	i.HTTPEndpoint = cmp.Or(i.HTTPEndpoint, "enabled")
	i.MAC = cmp.Or(i.MAC, macOf(i.IP))
	for n, f := range i.Interfaces {
		f.ID = cmp.Or(f.ID, fmt.Sprintf("%s-%d", i.ENI, n+1))
		f.MAC = cmp.Or(f.MAC, macOf(f.IP))
		f.VSwitch = cmp.Or(f.VSwitch, i.VSwitch)
		if f.SecurityGroups == nil {
			f.SecurityGroups = slices.Clone(i.SecurityGroups)
		}
		i.Interfaces[n] = f
	}
	return i
}

// macOf is an address of the kind that everybody may give out, different for each IP.
func macOf(ip netip.Addr) string {
	if !ip.Is4() {
		return ""
	}
	b := ip.As4()
	return fmt.Sprintf("02:16:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}

// What every instance is.
const (
	InstanceType = "ecs.g7.large"
	ImageID      = "aliyun_3_x64_20G_alibase_sim.vhd"
)

// SerialNumber is made from the address, which no two instances share.
func (i *Instance) SerialNumber() string {
	b := netip.AddrFrom4([4]byte{}).As4()
	if i.IP.Is4() {
		b = i.IP.As4()
	}
	return fmt.Sprintf("00000000-0000-4000-8000-0000%x", b)
}
