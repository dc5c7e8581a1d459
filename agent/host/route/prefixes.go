package route

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// prefixes are the destinations of all routes and rules. Any two of them are nested or apart,
// so two addresses with the same narrowest destination around them are under the same ones
// altogether, and the kernel sends both the same way: it is asked once for all of them.
type prefixes struct {
	sorted []netip.Prefix // by address, wider ones first
	known  map[netip.Prefix]bool
	bits   map[bool][]int // the lengths that occur, longest first; of IPv6 where true
}

func newPrefixes(all []netip.Prefix) prefixes {
	p := prefixes{known: make(map[netip.Prefix]bool, len(all)), bits: map[bool][]int{}}
	for _, one := range all {
		if p.known[one] {
			continue
		}
		p.known[one] = true
		p.sorted = append(p.sorted, one)
		if six := one.Addr().Is6(); !slices.Contains(p.bits[six], one.Bits()) {
			p.bits[six] = append(p.bits[six], one.Bits())
		}
	}
	slices.SortFunc(p.sorted, api.ComparePrefixes)
	for six := range p.bits {
		slices.Sort(p.bits[six])
		slices.Reverse(p.bits[six])
	}
	return p
}

// around is the narrowest destination that holds the whole of a subnet; the zero value if
// there is none.
func (p prefixes) around(subnet netip.Prefix) netip.Prefix {
	for _, bits := range p.bits[subnet.Addr().Is6()] {
		if bits > subnet.Bits() {
			continue
		}
		if wide, err := subnet.Addr().Prefix(bits); err == nil && p.known[wide] {
			return wide
		}
	}
	return netip.Prefix{}
}

// mostParts is how many destinations within one subnet are asked about.
const mostParts = 32

// within are the destinations that are a part of a subnet, the first ones of them.
func (p prefixes) within(subnet netip.Prefix) []netip.Prefix {
	var parts []netip.Prefix
	at, _ := slices.BinarySearchFunc(p.sorted, subnet, api.ComparePrefixes)
	for _, one := range p.sorted[at:] {
		if !subnet.Contains(one.Addr()) || len(parts) == mostParts {
			break
		}
		if one.Bits() > subnet.Bits() {
			parts = append(parts, one)
		}
	}
	return parts
}

// class is what one question to the kernel answers: all subnets under the same destinations.
type class struct {
	to   []netip.Prefix
	part netip.Prefix // the part of the subnet that is meant; the zero value if it is the whole
	dst  netip.Addr
}

// classes groups subnets, those of each in the order given.
func (p prefixes) classes(subnets []netip.Prefix) []class {
	var all []class
	at := map[netip.Prefix]int{}
	for _, subnet := range subnets {
		around, parts := p.around(subnet), p.within(subnet)
		key := around
		if len(parts) > 0 {
			key = subnet // its address is chosen beside its parts
		}
		if key == (netip.Prefix{}) {
			key = netip.PrefixFrom(subnet.Addr(), 0).Masked()
		}
		if i, ok := at[key]; ok {
			all[i].to = append(all[i].to, subnet)
		} else {
			at[key] = len(all)
			all = append(all, class{to: []netip.Prefix{subnet}, dst: beside(subnet, parts)})
		}
		for _, part := range parts {
			all = append(all, class{to: []netip.Prefix{subnet}, part: part, dst: Container(part)})
		}
	}
	return all
}

// beside is an address of a subnet that lies in none of its parts, if one of the first few is
// such a one.
func beside(subnet netip.Prefix, parts []netip.Prefix) netip.Addr {
	const tries = 64
	a := Container(subnet)
	for range tries {
		taken := slices.ContainsFunc(parts, func(p netip.Prefix) bool { return p.Contains(a) })
		if !taken && subnet.Contains(a) {
			return a
		}
		a = a.Next()
	}
	return Container(subnet)
}

// Container is the address that Docker gives a subnet's first container, behind the bridge's
// own; of a range too small for one, its first address.
func Container(p netip.Prefix) netip.Addr {
	if a := p.Masked().Addr().Next().Next(); p.Contains(a) {
		return a
	}
	return p.Masked().Addr()
}
