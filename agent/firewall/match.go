package firewall

import (
	"net/netip"
	"strconv"
	"strings"

	"go4.org/netipx"
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

// trait is the match of what a condition looks at beside the fields with a value as the tools
// print it; ok is false when the value is not understood.
type trait func(value string) (m match, ok bool)

// inIs and outIs compare the names of interfaces.
func inIs(name string) (match, bool) {
	return func(w *walk) bool { return nameFits(w.in, name) }, true
}

func outIs(name string) (match, bool) {
	return func(w *walk) bool { return nameFits(w.outSeen(), name) }, true
}

// sourceIs and targetIs know the kinds of addresses.
func sourceIs(kind string) (match, bool) {
	return kindIs(kind, func(w *walk) bool { return w.in == "" })
}

func targetIs(kind string) (match, bool) {
	return kindIs(kind, func(w *walk) bool { return w.toHost })
}

// kindIs tells local addresses; those of other hosts are unicast.
func kindIs(kind string, local match) (match, bool) {
	switch strings.ToLower(kind) {
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

// familyIs knows the words of meta nfproto, meta protocol and ether type.
func familyIs(name string) (match, bool) {
	name = strings.ToLower(name)
	v6 := name == "ipv6" || name == "ip6"
	return func(w *walk) bool { return w.v6 == v6 }, v6 || name == "ipv4" || name == "ip"
}

// packetIs knows what a packet is by its link: unicast, broadcast or multicast.
func packetIs(kind string) (match, bool) {
	kind = strings.ToLower(kind)
	return func(*walk) bool { return kind == "unicast" || kind == "host" }, true
}

func stateIs(state string) (match, bool) {
	state = strings.ToLower(state)
	switch state {
	case "new", "established", "related", "invalid", "untracked":
		return func(w *walk) bool { return w.stateSeen() == state }, true
	case "snat":
		return func(w *walk) bool { return w.masked }, true
	default:
		return statusIs(state)
	}
}

// statusIs knows the bit of a connection's status that tells a translated destination.
func statusIs(status string) (match, bool) {
	return func(w *walk) bool { return w.redirected }, strings.EqualFold(status, "dnat")
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
	stem, open := strings.CutSuffix(pattern, "*")
	return name == pattern || open && strings.HasPrefix(name, stem)
}

// fieldSpan reads a value as the tools print it, of both: 10.0.0.0/8, 10.0.0.1-10.0.0.9, 80,
// 80-90, 80:90, tcp, 6, echo-request.
// Values of other fields may have names.
func fieldSpan(f field, value string, names map[string]uint64) (span, bool) {
	switch f {
	case srcAddr, dstAddr:
		return addressSpan(value)
	case protocol:
		n, ok := protocolNumber(value)
		return smallSpan(n, n), ok
	case sourcePort, targetPort:
		return portSpan(value)
	default:
		n, ok := namedNumber(value, names)
		return smallSpan(n, n), ok
	}
}

// addressSpan is a prefix, a range, or a single address.
func addressSpan(s string) (span, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return prefixSpan(p), true
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return span{a, a}, true
	}
	r, err := netipx.ParseIPRange(s)
	return span{r.From(), r.To()}, err == nil
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

// namedNumber is the number that has a name, or that is written instead of one.
func namedNumber(s string, names map[string]uint64) (uint64, bool) {
	if n, ok := names[strings.ToLower(s)]; ok {
		return n, true
	}
	n, err := strconv.ParseUint(s, 0, 32)
	return n, err == nil
}

// protocolNumber knows the names that the tools print for the protocols of transport.
func protocolNumber(s string) (uint64, bool) {
	return namedNumber(s, map[string]uint64{
		"icmp": protoICMP, "igmp": 2, "ipencap": 4, "ipip": 4, "tcp": protoTCP, "udp": protoUDP, "dccp": 33, "ipv6": 41,
		"gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": protoICMP6, "icmpv6": protoICMP6, "icmp6": protoICMP6, "ospf": 89,
		"pim": 103, "vrrp": 112, "sctp": 132, "udplite": 136,
	})
}

// tcpFlags are the names of the flags of TCP.
func tcpFlags() map[string]uint64 {
	return map[string]uint64{"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128, "all": 63, "none": 0}
}

// tcpFlags are syn in the first packet of a connection, and ack in later ones.
func (w *walk) tcpFlags() uint64 {
	if w.state == "new" {
		return 2
	}
	return 16
}
