package firewall

import (
	"strconv"
	"strings"
)

func icmpIs(f field, value string) (match, bool) {
	if value == "any" {
		return func(*walk) bool { return true }, true
	}
	t, c, coded := strings.Cut(value, "/")
	want, ok := icmpNumber(f, t)
	code, err := strconv.ParseUint(c, 10, 8)
	return func(w *walk) bool {
		if f == icmpCode {
			return w.ICMPCode == want
		}
		return w.ICMPType == want && (!coded || uint64(w.ICMPCode) == code)
	}, ok && (!coded || err == nil)
}

func icmpNumber(f field, s string) (uint8, bool) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return uint8(n), true
	}
	switch f {
	case icmpType:
		return typeNumber(s)
	case icmp6Type:
		return type6Number(s)
	default:
		return codeNumber(s)
	}
}

// typeNumber knows the names that nft prints (nft describe icmp type).
func typeNumber(name string) (uint8, bool) {
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
		return 0, false
	}
}

// type6Number knows those of nft describe icmpv6 type.
func type6Number(name string) (uint8, bool) {
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
		return 0, false
	}
}

// codeNumber knows those of nft describe icmp code.
func codeNumber(name string) (uint8, bool) {
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
		return 0, false
	}
}
