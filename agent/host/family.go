package host

import (
	"net/netip"
	"slices"
)

// Family is one of the two families of addresses, which have rules, sets and commands of
// their own.
type Family int

// The families.
const (
	IPv4 Family = iota
	IPv6
)

// Families are both, IPv4 first.
func Families() []Family { return []Family{IPv4, IPv6} }

// NFT is what nftables calls the family: ip or ip6.
func (f Family) NFT() string { return ByFamily(f, "ip", "ip6") }

// ByFamily is the first of two values for IPv4, and the second for IPv6.
func ByFamily[T any](f Family, four, six T) T {
	if f == IPv6 {
		return six
	}
	return four
}

// FamilyOf is the family of a prefix.
func FamilyOf(p netip.Prefix) Family {
	if p.Addr().Is6() {
		return IPv6
	}
	return IPv4
}

// Of are those of the prefixes that belong to the family.
func (f Family) Of(prefixes []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool { return FamilyOf(p) != f })
}

// PrefixesWithout are those of a that are not in b.
func PrefixesWithout(a, b []netip.Prefix) []netip.Prefix {
	in := make(map[netip.Prefix]bool, len(b))
	for _, p := range b {
		in[p] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return in[p] })
}
