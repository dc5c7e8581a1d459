package plan

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// Reserved are the ranges that are never ours to route (RFC 6890, RFC 4291 section 2.4).
// 0.0.0.0/0 and ::/0 overlap all of their family.
func Reserved() []netip.Prefix {
	return []netip.Prefix{
		ipv4(0, 0, 8),      // "this network"
		ipv4(100, 64, 10),  // the cloud's own services: a system route in every table
		ipv4(127, 0, 8),    // loopback
		ipv4(169, 254, 16), // link-local, instance metadata
		ipv4(224, 0, 4),    // multicast
		ipv4(240, 0, 4),    // class E and broadcast
		ipv6(0, 8),         // unspecified, loopback, IPv4 in IPv6 (mapped, NAT64)
		ipv6(0x0100, 64),   // discard-only, RFC 6666
		ipv6(0xfe80, 10),   // link-local
		ipv6(0xfec0, 10),   // site-local, deprecated by RFC 3879
		ipv6(0xff00, 8),    // multicast
	}
}

func ipv4(a, b byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b}), bits)
}

func ipv6(first uint16, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{byte(first >> 8), byte(first)}), bits)
}

// checker refuses what may not be routed, whoever else claims it.
type checker struct {
	vpc       api.VPCID
	reserved  []netip.Prefix
	vswitches []VSwitch // sorted: the answer names the first that overlaps
	pools     []netip.Prefix
}

func newChecker(rules Rules) checker {
	vswitches := slices.SortedFunc(slices.Values(rules.VSwitches), func(a, b VSwitch) int {
		return api.ComparePrefixes(a.CIDR, b.CIDR)
	})
	return checker{rules.VPC, Reserved(), vswitches, rules.Pools}
}

// refuseHost returns why this host may not have this prefix; nil if nothing speaks against it.
func (c checker) refuseHost(h *api.Host, p netip.Prefix) *api.Conflict {
	if h.VPC != c.vpc {
		return &api.Conflict{Reason: api.ReasonWrongVPC}
	}
	return c.refusePrefix(p)
}

// refusePrefix returns why nobody may have this prefix; nil if nothing speaks against it.
func (c checker) refusePrefix(p netip.Prefix) *api.Conflict {
	switch {
	case !p.IsValid() || p.Addr().Is4In6():
		return &api.Conflict{Reason: api.ReasonNoPrefix}
	case p != p.Masked():
		return &api.Conflict{Reason: api.ReasonHostBits}
	}
	for _, r := range c.reserved {
		if r.Overlaps(p) {
			return &api.Conflict{Reason: api.ReasonReserved, With: r}
		}
	}
	for _, v := range c.vswitches {
		if v.CIDR.Overlaps(p) {
			return &api.Conflict{Reason: api.ReasonOverlapsVSwitch, With: v.CIDR, Holder: string(v.ID)}
		}
	}
	if !inPools(c.pools, p) {
		return &api.Conflict{Reason: api.ReasonOutsidePools}
	}
	return nil
}

// inPools reports whether the prefix lies wholly inside one of the pools. Contains is false
// between families.
func inPools(pools []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(pools, func(pool netip.Prefix) bool {
		return pool.Bits() <= p.Bits() && pool.Contains(p.Addr())
	})
}
