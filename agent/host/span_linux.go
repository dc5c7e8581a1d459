package host

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
)

// span is a range of IPv4 addresses, both ends included.
type span struct{ first, last uint32 }

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func spans(prefixes []netip.Prefix) []span {
	var all []span
	for _, p := range prefixes {
		first := number(p.Masked().Addr())
		all = append(all, span{first, first | uint32(uint64(1)<<(32-p.Bits())-1)})
	}
	return all
}

// prefixes are the fewest that make up the spans, which must not overlap.
func prefixes(all []span) []netip.Prefix {
	var found []netip.Prefix
	for _, s := range all {
		for first, last := uint64(s.first), uint64(s.last); first <= last; {
			bits := 32
			for bits > 0 {
				size := uint64(1) << (33 - bits) // of the next larger one
				if first%size != 0 || first+size-1 > last {
					break
				}
				bits--
			}
			found = append(found, netip.PrefixFrom(address(uint32(first)), bits))
			first += uint64(1) << (32 - bits)
		}
	}
	return found
}

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// merge sorts spans and makes one of those that overlap or touch, which is what an
// interval set takes.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var merged []span
	for _, s := range all {
		if n := len(merged); n > 0 && uint64(s.first) <= uint64(merged[n-1].last)+1 {
			merged[n-1].last = max(merged[n-1].last, s.last)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// elementsOf writes each span as its first address and the one behind its last. A span
// that reaches the end of the address space has none behind it.
func elementsOf(spans []span) []nftables.SetElement {
	var elements []nftables.SetElement
	for _, s := range spans {
		elements = append(elements, nftables.SetElement{Key: binaryutil.BigEndian.PutUint32(s.first)})
		if s.last != ^uint32(0) {
			elements = append(elements, nftables.SetElement{Key: binaryutil.BigEndian.PutUint32(s.last + 1), IntervalEnd: true})
		}
	}
	return elements
}

func spansOf(elements []nftables.SetElement) []span {
	slices.SortFunc(elements, func(a, b nftables.SetElement) int { return slices.Compare(a.Key, b.Key) })
	var spans []span
	for _, e := range elements {
		key := binary.BigEndian.Uint32(e.Key)
		if !e.IntervalEnd {
			spans = append(spans, span{key, ^uint32(0)})
		} else if len(spans) > 0 {
			spans[len(spans)-1].last = key - 1
		}
	}
	return spans
}
