package firewall

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"
)

// number is an address, a port or another value that rules compare, as 128 bits.
type number struct{ hi, lo uint64 }

func (a number) compare(b number) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

func (a number) after() number {
	lo, carry := bits.Add64(a.lo, 1, 0)
	return number{a.hi + carry, lo}
}

func (a number) before() number {
	lo, borrow := bits.Sub64(a.lo, 1, 0)
	return number{a.hi - borrow, lo}
}

func small(n uint64) number { return number{lo: n} }

// addressNumber is an address as a number; IPv4 is kept below all of IPv6 in use.
func addressNumber(a netip.Addr) number {
	if a.Is4() {
		b := a.As4()
		return small(uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3]))
	}
	b := a.As16()
	n := number{}
	for i := range 8 {
		n.hi, n.lo = n.hi<<8|uint64(b[i]), n.lo<<8|uint64(b[i+8])
	}
	return n
}

func (a number) address(v6 bool) netip.Addr {
	if !v6 {
		return netip.AddrFrom4([4]byte{byte(a.lo >> 24), byte(a.lo >> 16), byte(a.lo >> 8), byte(a.lo)})
	}
	var b [16]byte
	for i := range 8 {
		b[i], b[i+8] = byte(a.hi>>(56-8*i)), byte(a.lo>>(56-8*i))
	}
	return netip.AddrFrom16(b)
}

// span is all numbers from one to another, both included.
type span struct{ from, to number }

func smallSpan(from, to uint64) span { return span{small(from), small(to)} }

func prefixSpan(p netip.Prefix) span {
	p = p.Masked()
	from := addressNumber(p.Addr())
	host := p.Addr().BitLen() - p.Bits()
	to := from
	switch {
	case host >= 128:
		to.hi, to.lo = ^uint64(0), ^uint64(0)
	case host > 64:
		to.hi, to.lo = to.hi|(1<<(host-64)-1), ^uint64(0)
	case host == 64:
		to.lo = ^uint64(0)
	default:
		to.lo |= 1<<host - 1
	}
	return span{from, to}
}

// spans are ordered and have gaps between them.
type spans []span

func only(n number) spans { return spans{{n, n}} }

// newSpans orders and joins.
func newSpans(all []span) spans {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(a.from.compare(b.from), a.to.compare(b.to)) })
	var joined spans
	for _, s := range all {
		if s.from.compare(s.to) > 0 {
			continue
		}
		last := len(joined) - 1
		if last >= 0 && (s.from.compare(joined[last].to) <= 0 || s.from == joined[last].to.after()) {
			if s.to.compare(joined[last].to) > 0 {
				joined[last].to = s.to
			}
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// single reports whether they are one number only.
func (a spans) single() bool { return len(a) == 1 && a[0].from == a[0].to }

// has reports whether a number is in one of them.
func (a spans) has(n number) bool {
	at := a.firstUpTo(n)
	return at < len(a) && a[at].from.compare(n) <= 0
}

// firstUpTo is the place of the first span that does not end before n.
func (a spans) firstUpTo(n number) int {
	at, _ := slices.BinarySearchFunc(a, n, func(s span, n number) int { return s.to.compare(n) })
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
		for i := a.firstUpTo(s.from); i < len(a) && a[i].from.compare(s.to) <= 0; i++ {
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
		for i := b.firstUpTo(s.from); left && i < len(b) && b[i].from.compare(s.to) <= 0; i++ {
			if s.from.compare(b[i].from) < 0 {
				all = append(all, span{s.from, b[i].from.before()})
			}
			left = b[i].to.compare(s.to) < 0
			s.from = b[i].to.after()
		}
		if left {
			all = append(all, s)
		}
	}
	return all
}

func larger(a, b number) number {
	if a.compare(b) < 0 {
		return b
	}
	return a
}

func smaller(a, b number) number {
	if a.compare(b) < 0 {
		return a
	}
	return b
}

// prefixes are the fewest that cover the addresses of a span.
func (s span) prefixes(v6 bool) []netip.Prefix {
	var all []netip.Prefix
	for from := s.from; ; {
		a := from.address(v6)
		length := a.BitLen()
		for length > 0 {
			p := netip.PrefixFrom(a, length-1)
			wider := prefixSpan(p)
			if wider.from != from || wider.to.compare(s.to) > 0 {
				break
			}
			length--
		}
		p := netip.PrefixFrom(a, length)
		all = append(all, p)
		end := prefixSpan(p).to
		if end.compare(s.to) >= 0 {
			return all
		}
		from = end.after()
	}
}
