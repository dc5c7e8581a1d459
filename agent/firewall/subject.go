package firewall

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// subject is what an nft expression looks at: a trait, the bits of a number, or else a field.
type subject struct {
	field   field
	cut     int // of an address, the bits that are looked at; 0 for all
	trait   trait
	bits    func(*walk) uint64
	mask    uint64            // of bits
	names   map[string]uint64 // of values
	implied []match           // what looking at it asks by itself
}

// isField reports whether it is neither trait nor bits.
func (s subject) isField() bool { return s.trait == nil && s.bits == nil }

// readSubjects reads the left-hand side of a match, or several of them joined, and what using
// them implies.
func readSubjects(e any) (all []subject, implied []step, ok bool) {
	parts := []any{e}
	if joined, isJoined := object(e)["concat"].([]any); isJoined {
		parts = joined
	}
	for _, p := range parts {
		s, ok := readSubject(p)
		if !ok {
			return nil, nil, false
		}
		all = append(all, s)
		for _, m := range s.implied {
			implied = append(implied, condition(m))
		}
	}
	return all, implied, true
}

func readSubject(e any) (subject, bool) {
	if operands, ok := object(e)["&"].([]any); ok && len(operands) == 2 {
		return maskedSubject(operands[0], operands[1])
	}
	if fib := object(object(e)["fib"]); fib != nil {
		return fibSubject(fib)
	}
	switch text := exprText(e); text {
	case "iifname", "iif":
		return subject{trait: inIs}, true
	case "oifname", "oif":
		return subject{trait: outIs}, true
	case "meta nfproto", "meta protocol", "ether type":
		return subject{trait: familyIs}, true
	case "meta pkttype":
		return subject{trait: packetIs}, true
	case "ct state":
		return subject{trait: stateIs}, true
	case "ct status":
		return subject{trait: statusIs}, true
	case "meta mark":
		return subject{bits: func(w *walk) uint64 { return uint64(w.mark) }, mask: ^uint64(0)}, true
	case "ct mark":
		return subject{bits: func(w *walk) uint64 { return uint64(w.connMark) }, mask: ^uint64(0)}, true
	case "meta l4proto":
		return subject{field: protocol}, true
	default:
		header, field, _ := strings.Cut(text, " ")
		return headerSubject(header, field)
	}
}

// headerSubject is a field of a packet's header.
func headerSubject(header, name string) (s subject, ok bool) {
	number, _ := protocolNumber(header)
	of := only(small(number))
	switch header {
	case "ip", "ip6":
		family, _ := familyIs(header)
		s.implied = []match{family}
		s.field, ok = map[string]field{"saddr": srcAddr, "daddr": dstAddr, "protocol": protocol, "nexthdr": protocol}[name]
		return s, ok
	case "icmp", "icmpv6":
		s.field, ok = map[string]field{"type": icmpType, "code": icmpCode}[name]
		s.names = map[string]map[string]uint64{"icmp type": icmpTypes(), "icmp code": icmpCodes(), "icmpv6 type": icmp6Types()}[header+" "+name]
	case "th":
		of = newSpans([]span{smallSpan(protoTCP, protoTCP), smallSpan(protoUDP, protoUDP), smallSpan(33, 33), smallSpan(132, 132), smallSpan(136, 136)})
		fallthrough
	case "tcp", "udp", "sctp", "dccp", "udplite":
		s.field, ok = map[string]field{"sport": sourcePort, "dport": targetPort}[name]
		if header == "tcp" && name == "flags" {
			s, ok = subject{bits: (*walk).tcpFlags, names: tcpFlags(), mask: 0xff}, true
		}
	}
	s.implied = []match{matchAmong(protocol, of)}
	return s, ok
}

func fibSubject(o map[string]any) (subject, bool) {
	flags := stringsOf(o["flags"])
	result := textOr(o["result"], "")
	switch {
	case result == "type" && slices.Contains(flags, "daddr"):
		return subject{trait: targetIs}, true
	case result == "type" && slices.Contains(flags, "saddr"):
		return subject{trait: sourceIs}, true
	case (result == "oif" || result == "oifname") && slices.Contains(flags, "saddr") && slices.Contains(flags, "iif"):
		return subject{trait: func(s string) (match, bool) {
			missing := s == "false" || s == "0"
			return negate((*walk).routeLeadsBack, missing), missing || s == "true"
		}}, true
	default:
		return subject{}, false
	}
}

// maskedSubject reads MARK & 0xff, of numbers and addresses; of a connection's status the bit
// is what it is compared with.
func maskedSubject(left, mask any) (subject, bool) {
	s, ok := readSubject(left)
	switch {
	case !ok:
		return s, false
	case s.bits != nil:
		s.mask, ok = s.number(mask)
		return s, ok
	case s.trait != nil:
		return s, valueText(mask) == "dnat"
	}
	addr, err := netip.ParseAddr(valueText(mask))
	ones, width := net.IPMask(addr.AsSlice()).Size()
	s.cut = ones
	return s, err == nil && width > 0 && (s.field == srcAddr || s.field == dstAddr)
}

// number reads a value of bits: a number, a name, or several of them joined.
func (s subject) number(v any) (uint64, bool) {
	parts, isList := v.([]any)
	if joined, ok := object(v)["|"].([]any); ok {
		parts, isList = joined, true
	}
	if !isList {
		return namedNumber(valueText(v), s.names)
	}
	sum := uint64(0)
	for _, p := range parts {
		n, ok := s.number(p)
		if !ok {
			return 0, false
		}
		sum |= n
	}
	return sum, true
}

// valueText is a value as the text that stands for it.
func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case map[string]any:
		if p := object(v["prefix"]); p != nil {
			return valueText(p["addr"]) + "/" + valueText(p["len"])
		}
		if ends, ok := v["range"].([]any); ok && len(ends) == 2 {
			return valueText(ends[0]) + "-" + valueText(ends[1])
		}
	}
	return ""
}

// valueSpan is what a value covers of a field.
func (s subject) valueSpan(v any) (span, bool) {
	if ends, ok := object(v)["range"].([]any); ok && len(ends) == 2 {
		from, ok1 := fieldSpan(s.field, valueText(ends[0]), s.names)
		to, ok2 := fieldSpan(s.field, valueText(ends[1]), s.names)
		return span{from.from, to.to}, ok1 && ok2
	}
	text := valueText(v)
	if s.cut > 0 {
		text += "/" + strconv.Itoa(s.cut)
	}
	if strings.Contains(text, "*") {
		return span{to: prefixSpan(netip.PrefixFrom(netip.IPv6Unspecified(), 0)).to}, text == "*"
	}
	return fieldSpan(s.field, text, s.names)
}
