package seed

import (
	"maps"
	"net/netip"
	"slices"
)

// Interface is a network interface (ENI) of an instance: one of its secondary ones in a seed,
// or any of them as [Instance.Attached] gives them.
type Interface struct {
	ID              string            `json:"id" yaml:"id"`
	Tags            map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	MAC             string            `json:"mac,omitempty" yaml:"mac,omitempty"`         // default from the address
	VSwitch         string            `json:"vswitch,omitempty" yaml:"vswitch,omitempty"` // default the instance's
	IP              netip.Addr        `json:"ip" yaml:"ip"`
	MoreIPs         []netip.Addr      `json:"moreIps,omitempty" yaml:"moreIps,omitempty"`
	IPv6            []netip.Addr      `json:"ipv6,omitempty" yaml:"ipv6,omitempty"`
	SecurityGroups  []string          `json:"securityGroups,omitempty" yaml:"securityGroups,omitempty"` // default the instance's
	SourceDestCheck bool              `json:"sourceDestCheck,omitempty" yaml:"sourceDestCheck,omitempty"`
}

// Addresses are all of the interface's addresses, the primary one first.
func (f Interface) Addresses() []netip.Addr {
	return slices.Concat([]netip.Addr{f.IP}, f.MoreIPs, f.IPv6)
}

// IPv4 are the interface's IPv4 addresses, the primary one first.
func (f Interface) IPv4() []string {
	out := []string{f.IP.String()}
	for _, ip := range f.MoreIPs {
		out = append(out, ip.String())
	}
	return out
}

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
