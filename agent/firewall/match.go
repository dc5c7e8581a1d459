package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// match is a condition of a rule.
type match func(*walk) bool

// condition is the step that asks a match.
func condition(m match) step {
	return func(w *walk) decision {
		if m(w) {
			return decision{}
		}
		return decision{kind: differs}
	}
}

func negate(m match, negated bool) match {
	if !negated {
		return m
	}
	return func(w *walk) bool { return !m(w) }
}

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

func allOf(all []match) match {
	return func(w *walk) bool {
		for _, m := range all {
			if !m(w) {
				return false
			}
		}
		return true
	}
}

// matchAmong asks a field for one of many values at once.
func matchAmong(f field, want spans) match {
	return func(w *walk) bool { return w.among(f, want) }
}

// trait is what a condition may look at beside the fields.
type trait int

const (
	inName trait = iota
	outName
	connState
	connStatus
	sourceKind // of address: local and others
	targetKind
	addressFamily
	packetKind // by the link: unicast, broadcast, multicast
)

// traitIs is the match of a trait with a value as the tools print it; ok is false when the
// value is not understood.
func traitIs(t trait, value string) (m match, ok bool) {
	lower := strings.ToLower(value)
	switch t {
	case inName:
		return func(w *walk) bool { return nameFits(w.in, value) }, true
	case outName:
		return func(w *walk) bool { return nameFits(w.outSeen(), value) }, true
	case connState:
		return stateIs(lower)
	case connStatus:
		return func(w *walk) bool { return w.redirected }, lower == "dnat"
	case sourceKind:
		return kindIs(lower, func(w *walk) bool { return w.in == "" })
	case targetKind:
		return kindIs(lower, func(w *walk) bool { return w.toHost })
	case addressFamily:
		return familyIs(lower)
	case packetKind:
		return func(*walk) bool { return lower == "unicast" || lower == "host" }, true
	default:
		return nil, false
	}
}

// familyIs knows the words of meta nfproto, meta protocol and ether type.
func familyIs(name string) (match, bool) {
	v6 := name == "ipv6" || name == "ip6"
	return func(w *walk) bool { return w.v6 == v6 }, v6 || name == "ipv4" || name == "ip"
}

// kindIs tells local addresses; those of other hosts are unicast.
func kindIs(name string, local match) (match, bool) {
	switch name {
	case "local":
		return local, true
	case "unicast":
		return negate(local, true), true
	case "broadcast", "multicast", "anycast", "blackhole", "prohibit", "unreachable":
		return func(*walk) bool { return false }, true
	default:
		return nil, false
	}
}

func stateIs(state string) (match, bool) {
	switch state {
	case "new", "established", "related", "invalid", "untracked":
		return func(w *walk) bool { return w.stateSeen() == state }, true
	case "dnat":
		return func(w *walk) bool { return w.redirected }, true
	case "snat":
		return func(w *walk) bool { return w.masked }, true
	default:
		return nil, false
	}
}

// outSeen is empty where the kernel has not decided on the way out yet.
func (w *walk) outSeen() string {
	if w.at == prerouting || w.at == input {
		return ""
	}
	return w.out
}

// nameFits compares the name of an interface with one that may end in a star.
func nameFits(name, pattern string) bool {
	if stem, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, stem)
	}
	return name == pattern
}

// fieldSpan reads a value as the tools print it, of both: 10.0.0.0/8, 10.0.0.1-10.0.0.9, 80,
// 80-90, 80:90, tcp, 6, echo-request.
func fieldSpan(f field, value string) (span, bool) {
	switch f {
	case srcAddr, dstAddr:
		return addressSpan(value)
	case protocol:
		n, ok := protocolNumber(value)
		return smallSpan(n, n), ok
	case sourcePort, targetPort:
		return portSpan(value)
	default:
		return span{}, false
	}
}

// addressSpan is a prefix, a range, or a single address.
func addressSpan(s string) (span, bool) {
	if a, b, isRange := strings.Cut(s, "-"); isRange {
		from, err1 := netip.ParseAddr(a)
		to, err2 := netip.ParseAddr(b)
		return span{addressNumber(from), addressNumber(to)}, err1 == nil && err2 == nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return prefixSpan(p), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return span{}, false
	}
	return span{addressNumber(a), addressNumber(a)}, true
}

func portSpan(value string) (span, bool) {
	a, b, isRange := strings.Cut(strings.Replace(value, ":", "-", 1), "-")
	if !isRange {
		b = a
	}
	from, err1 := strconv.ParseUint(a, 10, 16)
	to, err2 := strconv.ParseUint(b, 10, 16)
	return smallSpan(from, to), err1 == nil && err2 == nil
}

// protocolNumber knows the names that the tools print for the protocols of transport.
func protocolNumber(s string) (uint64, bool) {
	switch s {
	case "icmp":
		return protoICMP, true
	case "igmp":
		return 2, true
	case "ipencap", "ipip":
		return 4, true
	case "tcp":
		return protoTCP, true
	case "udp":
		return protoUDP, true
	case "dccp":
		return 33, true
	case "ipv6":
		return 41, true
	case "gre":
		return 47, true
	case "esp":
		return 50, true
	case "ah":
		return 51, true
	case "ipv6-icmp", "icmpv6", "icmp6":
		return protoICMP6, true
	case "ospf":
		return 89, true
	case "pim":
		return 103, true
	case "vrrp":
		return 112, true
	case "sctp":
		return 132, true
	case "udplite":
		return 136, true
	default:
		n, err := strconv.ParseUint(s, 10, 8)
		return n, err == nil
	}
}

// flags of TCP, of which the first packet of a connection has syn and later ones ack.
func tcpFlag(name string) (uint64, bool) {
	switch strings.ToLower(name) {
	case "fin":
		return 1, true
	case "syn":
		return 2, true
	case "rst":
		return 4, true
	case "psh":
		return 8, true
	case "ack":
		return 16, true
	case "urg":
		return 32, true
	case "ecn":
		return 64, true
	case "cwr":
		return 128, true
	case "all":
		return 63, true
	case "none":
		return 0, true
	default:
		n, err := strconv.ParseUint(name, 0, 8)
		return n, err == nil
	}
}

func (w *walk) tcpFlags() uint64 {
	if w.state == "new" {
		return 2
	}
	return 16
}
