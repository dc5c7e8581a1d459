package firewall

// selector reads the left-hand side of a match: the field, and what using it implies. It
// leaves an unknown one where it is.
func selector(w *words) (field, []match) {
	start := w.at
	var f field
	implied := ""
	switch first := w.next(); first {
	case "ip", "ip6":
		f, implied = headerField(w.next()), "ipv4"
		if first == "ip6" {
			implied = "ipv6"
		}
	case "tcp", "udp", "th":
		f = portField(w.next())
		if first != "th" {
			implied = first
		}
	case "icmp", "icmpv6":
		f, implied = icmpField(first, w.next()), protocol(first)
	case "ct":
		f = connField(w.next())
	case "meta":
		f = metaField(w.next())
	case "fib":
		f = fibField(w)
	default:
		f = metaField(first)
	}
	if f == noField {
		w.at = start
		return noField, nil
	}
	switch implied {
	case "":
		return f, nil
	case "ipv4", "ipv6":
		m, _ := is(family, implied)
		return f, []match{m}
	default:
		m, _ := is(proto, implied)
		return f, []match{m}
	}
}

func headerField(name string) field {
	switch name {
	case "saddr":
		return saddr
	case "daddr":
		return daddr
	case "protocol", "nexthdr":
		return proto
	default:
		return noField
	}
}

func portField(name string) field {
	switch name {
	case "sport":
		return sport
	case "dport":
		return dport
	default:
		return noField
	}
}

func icmpField(header, name string) field {
	switch {
	case name == "type" && header == "icmp":
		return icmpType
	case name == "type":
		return icmp6Type
	case name == "code" && header == "icmp":
		return icmpCode
	default:
		return noField
	}
}

func connField(name string) field {
	switch name {
	case "state":
		return connState
	case "status":
		return connStatus
	default:
		return noField
	}
}

func metaField(name string) field {
	switch name {
	case "iifname", "iif":
		return inName
	case "oifname", "oif":
		return outName
	case "mark":
		return markField
	case "l4proto":
		return proto
	case "nfproto":
		return family
	default:
		return noField
	}
}

func fibField(w *words) field {
	switch {
	case w.take("daddr", "type"):
		return dstType
	case w.take("saddr", "type"):
		return srcType
	default:
		return noField
	}
}
