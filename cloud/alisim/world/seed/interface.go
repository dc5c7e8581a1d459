package seed

import (
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
