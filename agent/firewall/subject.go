package firewall

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// subject is what an nft expression looks at: a field, a trait, or the bits of a number.
type subject struct {
	read  func(string) (span, bool) // of a field
	field field
	trait trait
	bits  func(*walk) uint64 // of a number
	names func(string) (uint64, bool)
	mask  uint64
	cut   int // of an address, the bits that are looked at; 0 for all
}

// readSubjects reads the left-hand side of a match, or several of them joined, and what using
// them implies.
func readSubjects(e any) (all []subject, implied []step, ok bool) {
	parts := []any{e}
	if joined, isJoined := object(e)["concat"].([]any); isJoined {
		parts = joined
	}
	for _, p := range parts {
		s, also, ok := readSubject(p)
		if !ok {
			return nil, nil, false
		}
		all = append(all, s)
		for _, m := range also {
			implied = append(implied, condition(m))
		}
	}
	return all, implied, true
}

func readSubject(e any) (subject, []match, bool) {
	for key, value := range object(e) {
		o := object(value)
		name, _ := o["key"].(string)
		switch key {
		case "payload":
			header, _ := o["protocol"].(string)
			field, _ := o["field"].(string)
			return payloadSubject(header, field)
		case "meta":
			s, ok := metaSubject(name)
			return s, nil, ok
		case "ct":
			s, ok := connSubject(name)
			return s, nil, ok && o["dir"] == nil
		case "fib":
			s, ok := fibSubject(o)
			return s, nil, ok
		case "&":
			return maskedSubject(value)
		}
	}
	return subject{}, nil, false
}

func fieldSubject(f field) subject {
	return subject{field: f, read: func(s string) (span, bool) { return fieldSpan(f, s) }}
}

func payloadSubject(header, name string) (subject, []match, bool) {
	switch header {
	case "ip", "ip6":
		family, _ := familyIs(header)
		f, ok := map[string]field{"saddr": srcAddr, "daddr": dstAddr, "protocol": protocol, "nexthdr": protocol}[name]
		return fieldSubject(f), []match{family}, ok
	case "tcp", "udp", "sctp", "dccp", "udplite", "th":
		return transportSubject(header, name)
	case "icmp", "icmpv6":
		return icmpSubject(header, name)
	case "ether":
		return subject{trait: familyIs}, nil, name == "type"
	default:
		return subject{}, nil, false
	}
}

func transportSubject(header, name string) (subject, []match, bool) {
	number, _ := protocolNumber(header)
	with := only(small(number))
	if header == "th" {
		with = newSpans([]span{smallSpan(protoTCP, protoTCP), smallSpan(protoUDP, protoUDP), smallSpan(33, 33), smallSpan(132, 132), smallSpan(136, 136)})
	}
	implied := []match{matchAmong(protocol, with)}
	if header == "tcp" && name == "flags" {
		return subject{bits: (*walk).tcpFlags, names: tcpFlag, mask: 0xff}, implied, true
	}
	f, ok := map[string]field{"sport": sourcePort, "dport": targetPort}[name]
	return fieldSubject(f), implied, ok
}

func icmpSubject(header, name string) (subject, []match, bool) {
	number, _ := protocolNumber(header)
	implied := []match{matchAmong(protocol, only(small(number)))}
	f, ok := map[string]field{"type": icmpType, "code": icmpCode}[name]
	names := map[string]map[string]uint64{"icmp type": icmpTypes(), "icmp code": icmpCodes(), "icmpv6 type": icmp6Types()}[header+" "+name]
	return subject{field: f, read: func(s string) (span, bool) {
		n, known := namedNumber(s, names)
		return smallSpan(n, n), known
	}}, implied, ok
}

func metaSubject(name string) (subject, bool) {
	switch name {
	case "iifname", "iif":
		return subject{trait: inIs}, true
	case "oifname", "oif":
		return subject{trait: outIs}, true
	case "mark":
		return numberSubject(func(w *walk) uint64 { return uint64(w.mark) }), true
	case "l4proto":
		return fieldSubject(protocol), true
	case "nfproto", "protocol":
		return subject{trait: familyIs}, true
	case "pkttype":
		return subject{trait: packetIs}, true
	default:
		return subject{}, false
	}
}

func numberSubject(number func(*walk) uint64) subject {
	return subject{bits: number, mask: ^uint64(0), names: func(s string) (uint64, bool) {
		n, err := strconv.ParseUint(s, 0, 32)
		return n, err == nil
	}}
}

func connSubject(name string) (subject, bool) {
	switch name {
	case "state":
		return subject{trait: stateIs}, true
	case "status":
		return subject{trait: statusIs}, true
	case "mark":
		return numberSubject(func(w *walk) uint64 { return uint64(w.connMark) }), true
	default:
		return subject{}, false
	}
}

func fibSubject(o map[string]any) (subject, bool) {
	flags := stringsOf(o["flags"])
	result, _ := o["result"].(string)
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
func maskedSubject(value any) (subject, []match, bool) {
	operands, _ := value.([]any)
	if len(operands) != 2 {
		return subject{}, nil, false
	}
	s, implied, ok := readSubject(operands[0])
	switch {
	case !ok:
		return s, nil, false
	case s.bits != nil:
		s.mask, ok = s.number(operands[1])
		return s, implied, ok
	case s.field == srcAddr || s.field == dstAddr:
		mask, err := netip.ParseAddr(valueText(operands[1]))
		if s.read == nil || err != nil {
			return s, nil, false
		}
		ones, width := net.IPMask(mask.AsSlice()).Size()
		s.cut = ones
		return s, implied, width > 0
	default:
		return s, implied, s.trait != nil && valueText(operands[1]) == "dnat"
	}
}

// number reads a value of bits: a number, a name, or several of them joined.
func (s subject) number(v any) (uint64, bool) {
	parts, isList := v.([]any)
	if joined, ok := object(v)["|"].([]any); ok {
		parts, isList = joined, true
	}
	if !isList {
		return s.names(valueText(v))
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
		from, ok1 := s.read(valueText(ends[0]))
		to, ok2 := s.read(valueText(ends[1]))
		return span{from.from, to.to}, ok1 && ok2
	}
	text := valueText(v)
	if s.cut > 0 {
		text += "/" + strconv.Itoa(s.cut)
	}
	if strings.Contains(text, "*") {
		return span{to: prefixSpan(netip.PrefixFrom(netip.IPv6Unspecified(), 0)).to}, text == "*"
	}
	return s.read(text)
}
