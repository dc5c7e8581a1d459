package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// field is what a match looks at.
type field int

const (
	noField field = iota
	saddr
	daddr
	sport
	dport
	inName
	outName
	proto
	icmpType  // in iptables with its code: 3/4
	icmp6Type // the same
	icmpCode
	connState
	connStatus
	markField
	srcType
	dstType
	family
)

// is is the match of a field with a value as the tools print it; ok is false when the value
// is not understood. One grammar serves both: 10.0.0.0/8, 10.0.0.1-10.0.0.9, 80, 80-90, 80:90,
// eth0, eth*, tcp, 6, echo-request, 3/4, ESTABLISHED, 0x1, 0x1/0xff.
func is(f field, value string) (m match, ok bool) {
	switch f {
	case saddr, daddr:
		return addressIs(f, value)
	case sport, dport:
		return portIs(f, value)
	case inName:
		return func(w *walk) bool { return named(w.In, value) }, true
	case outName:
		return func(w *walk) bool { return named(w.outName(), value) }, true
	case proto:
		name := protocol(value)
		return func(w *walk) bool { return w.protocol() == name }, true
	case icmpType, icmp6Type, icmpCode:
		return icmpIs(f, value)
	case connState, connStatus:
		return connIs(strings.ToLower(value))
	case markField:
		return markIs(value)
	case srcType:
		return func(w *walk) bool { return w.In == "" }, strings.EqualFold(value, "local")
	case dstType:
		return func(w *walk) bool { return w.ToHost }, strings.EqualFold(value, "local")
	case family:
		return func(w *walk) bool { return w.Dst.Is4() == (value == "ipv4") }, true
	default:
		return nil, false
	}
}

func not(m match) match { return func(w *walk) bool { return !m(w) } }

func anyOf(all []match) match {
	if len(all) == 1 {
		return all[0]
	}
	return func(w *walk) bool {
		for _, m := range all {
			if m(w) {
				return true
			}
		}
		return false
	}
}

// outName is empty where the kernel has not decided on the way out yet.
func (w *walk) outName() string {
	if w.at == prerouting || w.at == input {
		return ""
	}
	return w.Out
}

func (w *walk) protocol() string {
	if w.Proto == "icmp" && w.Dst.Is6() {
		return "ipv6-icmp"
	}
	return w.Proto
}

func named(name, pattern string) bool {
	if stem, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, stem)
	}
	return name == pattern
}

func protocol(s string) string {
	switch s {
	case "1":
		return "icmp"
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "58", "icmpv6", "icmp6":
		return "ipv6-icmp"
	default:
		return s
	}
}

func addressIs(f field, value string) (match, bool) {
	from, to, ok := span(value)
	return func(w *walk) bool {
		a := w.Src
		if f == daddr {
			a = w.Dst
		}
		return from.Compare(a) <= 0 && a.Compare(to) <= 0
	}, ok
}

// span is the first and last address of a prefix, of a range, or of a single address.
func span(s string) (from, to netip.Addr, ok bool) {
	if a, b, isRange := strings.Cut(s, "-"); isRange {
		from, err1 := netip.ParseAddr(a)
		to, err2 := netip.ParseAddr(b)
		return from, to, err1 == nil && err2 == nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked().Addr(), last(p), true
	}
	a, err := netip.ParseAddr(s)
	return a, a, err == nil
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		if host := (i+1)*8 - p.Bits(); host > 0 {
			b[i] |= byte(1<<min(host, 8) - 1)
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func portIs(f field, value string) (match, bool) {
	a, b, isRange := strings.Cut(strings.Replace(value, ":", "-", 1), "-")
	if !isRange {
		b = a
	}
	from, err1 := strconv.ParseUint(a, 10, 16)
	to, err2 := strconv.ParseUint(b, 10, 16)
	return func(w *walk) bool {
		p := w.SrcPort
		if f == dport {
			p = w.DstPort
		}
		return from <= uint64(p) && uint64(p) <= to
	}, err1 == nil && err2 == nil
}

func connIs(state string) (match, bool) {
	switch state {
	case "new", "established", "related", "invalid", "untracked":
		return func(w *walk) bool { return w.state() == state }, true
	case "dnat":
		return func(w *walk) bool { return w.redirected }, true
	default:
		return nil, false
	}
}

func markIs(value string) (match, bool) {
	v, m, masked := strings.Cut(value, "/")
	if !masked {
		m = "0xffffffff"
	}
	want, err1 := strconv.ParseUint(v, 0, 32)
	mask, err2 := strconv.ParseUint(m, 0, 32)
	return func(w *walk) bool { return uint64(w.Mark)&mask == want }, err1 == nil && err2 == nil
}
