package firewall

import (
	"strconv"
	"strings"
)

// icmpIs is the match with a type, or a type and a code as iptables prints it: 3/4.
func icmpIs(value string) (match, bool) { return icmpMatch(value, typeNumber) }

// icmp6Is is the same of IPv6.
func icmp6Is(value string) (match, bool) { return icmpMatch(value, type6Number) }

func icmpMatch(value string, number func(string) (uint64, bool)) (match, bool) {
	if value == "any" || value == "255" {
		return func(*walk) bool { return true }, true
	}
	t, c, coded := strings.Cut(value, "/")
	want, ok := number(t)
	if !coded {
		return matchAmong(icmpType, only(small(want))), ok
	}
	code, err := strconv.ParseUint(c, 10, 8)
	m := []match{matchAmong(icmpType, only(small(want))), matchAmong(icmpCode, only(small(code)))}
	return allOf(m), ok && err == nil
}

// numbered reads what is no name.
func numbered(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 8)
	return n, err == nil
}

// typeNumber knows the names that nft prints (nft describe icmp type).
func typeNumber(name string) (uint64, bool) {
	switch name {
	case "echo-reply":
		return 0, true
	case "destination-unreachable":
		return 3, true
	case "source-quench":
		return 4, true
	case "redirect":
		return 5, true
	case "echo-request":
		return 8, true
	case "router-advertisement":
		return 9, true
	case "router-solicitation":
		return 10, true
	case "time-exceeded":
		return 11, true
	case "parameter-problem":
		return 12, true
	case "timestamp-request":
		return 13, true
	case "timestamp-reply":
		return 14, true
	default:
		return numbered(name)
	}
}

// type6Number knows those of nft describe icmpv6 type.
func type6Number(name string) (uint64, bool) {
	switch name {
	case "destination-unreachable":
		return 1, true
	case "packet-too-big":
		return 2, true
	case "time-exceeded":
		return 3, true
	case "parameter-problem":
		return 4, true
	case "echo-request":
		return 128, true
	case "echo-reply":
		return 129, true
	case "nd-router-solicit":
		return 133, true
	case "nd-router-advert":
		return 134, true
	case "nd-neighbor-solicit":
		return 135, true
	case "nd-neighbor-advert":
		return 136, true
	case "nd-redirect":
		return 137, true
	default:
		return numbered(name)
	}
}

// codeNumber knows those of nft describe icmp code.
func codeNumber(name string) (uint64, bool) {
	switch name {
	case "net-unreachable":
		return 0, true
	case "host-unreachable":
		return 1, true
	case "prot-unreachable":
		return 2, true
	case "port-unreachable":
		return 3, true
	case "frag-needed":
		return 4, true
	case "net-prohibited":
		return 9, true
	case "host-prohibited":
		return 10, true
	case "admin-prohibited":
		return 13, true
	default:
		return numbered(name)
	}
}
