package machine

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/google/nftables"
)

// span is a range of addresses of one family, both ends included.
type span struct{ first, last netip.Addr }

func spans(prefixes []netip.Prefix) []span {
	var all []span
	for _, p := range prefixes {
		all = append(all, span{p.Masked().Addr(), lastOf(p)})
	}
	return all
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(b); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// prefixes are the fewest that make up the spans, which must not overlap.
func prefixes(all []span) []netip.Prefix {
	var found []netip.Prefix
	for _, s := range all {
		for first := s.first; first.IsValid() && first.Compare(s.last) <= 0; {
			p := netip.PrefixFrom(first, first.BitLen())
			for p.Bits() > 0 {
				larger := netip.PrefixFrom(first, p.Bits()-1)
				if larger.Masked() != larger || lastOf(larger).Compare(s.last) > 0 {
					break
				}
				p = larger
			}
			found = append(found, p)
			first = lastOf(p).Next()
		}
	}
	return found
}

// merge sorts spans and makes one of those that overlap or touch, which is what an
// interval set takes.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return a.first.Compare(b.first) })
	var merged []span
	for _, s := range all {
		if n := len(merged); n > 0 && (s.first.Compare(merged[n-1].last) <= 0 || s.first == merged[n-1].last.Next()) {
			if merged[n-1].last.Less(s.last) {
				merged[n-1].last = s.last
			}
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
		elements = append(elements, nftables.SetElement{Key: s.first.AsSlice()})
		if behind := s.last.Next(); behind.IsValid() {
			elements = append(elements, nftables.SetElement{Key: behind.AsSlice(), IntervalEnd: true})
		}
	}
	return elements
}

// spansOf are the ranges of a set, those that touch as one.
func spansOf(elements []nftables.SetElement) []span {
	slices.SortFunc(elements, func(a, b nftables.SetElement) int {
		ends := map[bool]int{true: 0, false: 1} // one range ends where the next begins
		return cmp.Or(slices.Compare(a.Key, b.Key), ends[a.IntervalEnd]-ends[b.IntervalEnd])
	})
	var spans []span
	for _, e := range elements {
		key, ok := netip.AddrFromSlice(e.Key)
		if !ok {
			continue // not a set of addresses
		}
		if !e.IntervalEnd {
			spans = append(spans, span{key, lastOf(netip.PrefixFrom(key, 0))})
		} else if len(spans) > 0 {
			spans[len(spans)-1].last = key.Prev()
		}
	}
	return merge(spans)
}

// chunk is how many elements of a set fit into one netlink attribute, whose length has 16
// bits.
const chunk = 1000

// addSet adds a set of addresses with its elements to a transaction, in which no other set
// has the id. The library would count the ids, but not safely for two at a time.
func addSet(conn *nftables.Conn, table *nftables.Table, id uint32, name string, spans []span) error {
	set := &nftables.Set{Table: table, ID: id, Name: name, KeyType: nftables.TypeIPAddr, Interval: true}
	if table.Family == nftables.TableFamilyIPv6 {
		set.KeyType = nftables.TypeIP6Addr
	}
	if err := conn.AddSet(set, nil); err != nil {
		return err
	}
	for some := range slices.Chunk(elementsOf(spans), chunk) {
		if err := conn.SetAddElements(set, some); err != nil {
			return err
		}
	}
	return nil
}
