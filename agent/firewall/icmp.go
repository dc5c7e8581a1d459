package firewall

import "strings"

// icmpIs is the match with a type, or a type and a code as iptables prints it: 3/4.
func icmpIs(value string) (match, bool) { return icmpMatch(value, icmpTypes()) }

// icmp6Is is the same of IPv6.
func icmp6Is(value string) (match, bool) { return icmpMatch(value, icmp6Types()) }

func icmpMatch(value string, types map[string]uint64) (match, bool) {
	if value == "any" || value == "255" {
		return func(*walk) bool { return true }, true
	}
	t, c, coded := strings.Cut(value, "/")
	want, ok := namedNumber(t, types)
	m := matchAmong(icmpType, only(small(want)))
	if !coded {
		return m, ok
	}
	code, known := namedNumber(c, nil)
	return allOf([]match{m, matchAmong(icmpCode, only(small(code)))}), ok && known
}

// icmpTypes are the names that nft prints (nft describe icmp type).
func icmpTypes() map[string]uint64 {
	return map[string]uint64{
		"echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
		"router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
		"timestamp-request": 13, "timestamp-reply": 14,
	}
}

// icmp6Types are those of nft describe icmpv6 type.
func icmp6Types() map[string]uint64 {
	return map[string]uint64{
		"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
		"echo-request": 128, "echo-reply": 129, "nd-router-solicit": 133, "nd-router-advert": 134,
		"nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137,
	}
}

// icmpCodes are those of nft describe icmp code.
func icmpCodes() map[string]uint64 {
	return map[string]uint64{
		"net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "frag-needed": 4,
		"net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
	}
}
