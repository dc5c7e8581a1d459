package cloud

import "net/netip"

// Covers reports whether the ranges of a list, taken together, hold all of a pool: two
// halves do. The controller asks it of what an interface admits and emits.
func Covers(list []netip.Prefix, pool netip.Prefix) bool {
	return pool.IsValid() && len(Minus(pool, list)) == 0
}

// Minus returns what of a range is in no range of a list: the fewest ranges that hold it,
// sorted. Ranges of the other family take nothing away.
func Minus(from netip.Prefix, list []netip.Prefix) []netip.Prefix {
	from = from.Masked()
	var meet []netip.Prefix
	for _, p := range list {
		switch {
		case !p.Overlaps(from):
		case p.Bits() <= from.Bits():
			return nil
		default:
			meet = append(meet, p)
		}
	}
	if len(meet) == 0 {
		return []netip.Prefix{from}
	}
	low, high := Halves(from)
	return append(Minus(low, meet), Minus(high, meet)...)
}

// Halves cuts a range that holds more than one address.
func Halves(p netip.Prefix) (low, high netip.Prefix) {
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	middle, _ := netip.AddrFromSlice(bytes) // of the length it came with
	return netip.PrefixFrom(p.Addr(), p.Bits()+1), netip.PrefixFrom(middle, p.Bits()+1)
}
