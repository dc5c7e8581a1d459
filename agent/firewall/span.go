package firewall

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// number is what rules compare: an address; or a port or the like, which is kept as the IPv6
// address of that number, since package netip knows what is before and behind one.
type number = netip.Addr

func small(n uint64) number {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], n)
	return netip.AddrFrom16(b)
}

// smallValue is the number that small was given.
func smallValue(n number) uint64 {
	b := n.As16()
	return binary.BigEndian.Uint64(b[8:])
}

// span is all numbers from one to another, both included.
type span struct{ from, to number }

func smallSpan(from, to uint64) span { return span{small(from), small(to)} }

func prefixSpan(p netip.Prefix) span {
	r := netipx.RangeOfPrefix(p)
	return span{r.From(), r.To()}
}

// prefixes are the fewest that cover the addresses of a span.
func (s span) prefixes() []netip.Prefix { return netipx.IPRangeFrom(s.from, s.to).Prefixes() }

// spans are ordered and have gaps between them.
type spans []span

func only(n number) spans { return spans{{n, n}} }

// newSpans orders and joins.
func newSpans(all []span) spans {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to)) })
	var joined spans
	for _, s := range all {
		last := len(joined) - 1
		switch {
		case s.to.Less(s.from):
		case last >= 0 && (s.from.Compare(joined[last].to) <= 0 || s.from == joined[last].to.Next()):
			joined[last].to = larger(s.to, joined[last].to)
		default:
			joined = append(joined, s)
		}
	}
	return joined
}

// single reports whether they are one number only.
func (a spans) single() bool { return len(a) == 1 && a[0].from == a[0].to }

// has reports whether a number is in one of them.
func (a spans) has(n number) bool {
	at := a.firstUpTo(n)
	return at < len(a) && a[at].from.Compare(n) <= 0
}

// firstUpTo is the place of the first span that does not end before n.
func (a spans) firstUpTo(n number) int {
	at, _ := slices.BinarySearchFunc(a, n, func(s span, n number) int { return s.to.Compare(n) })
	return at
}

// both are the numbers in a and in b.
func (a spans) both(b spans) spans {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	if len(b) > len(a) {
		a, b = b, a
	}
	var all spans
	for _, s := range b {
		for i := a.firstUpTo(s.from); i < len(a) && a[i].from.Compare(s.to) <= 0; i++ {
			all = append(all, span{larger(s.from, a[i].from), smaller(s.to, a[i].to)})
		}
	}
	return all
}

// without are the numbers in a that are not in b.
func (a spans) without(b spans) spans {
	var all spans
	for _, s := range a {
		left := true
		for i := b.firstUpTo(s.from); left && i < len(b) && b[i].from.Compare(s.to) <= 0; i++ {
			if s.from.Less(b[i].from) {
				all = append(all, span{s.from, b[i].from.Prev()})
			}
			left = b[i].to.Less(s.to)
			s.from = b[i].to.Next()
		}
		if left {
			all = append(all, s)
		}
	}
	return all
}

func larger(a, b number) number {
	if a.Less(b) {
		return b
	}
	return a
}

func smaller(a, b number) number {
	if a.Less(b) {
		return a
	}
	return b
}
