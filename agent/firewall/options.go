package firewall

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// readOptions reads one line of iptables: -A CHAIN, matches, target.
func readOptions(line string, sets map[string][]netip.Prefix) []step {
	w := words(splitWords(line))
	w.nextWord()
	w.nextWord()
	var steps []step
	module := ""
	for len(w) > 0 {
		option := w.nextWord()
		negated := option == "!"
		if negated {
			option = w.nextWord()
		}
		switch option {
		case "-j":
			return append(steps, readTarget(w.nextWord(), w))
		case "-g":
			return append(steps, always(decision{kind: leap, chain: w.nextWord()}))
		case "-m":
			module = w.nextWord()
			steps = append(steps, moduleStep(module))
		case "--comment":
			w.nextWord()
		case "-f":
			// The second and later fragments: connection tracking has put packets together before.
			steps = append(steps, condition(negate(func(*walk) bool { return false }, negated)))
		case "--invert":
			if module != "rpfilter" {
				steps = append(steps, always(decision{kind: unknown}))
				continue
			}
			steps[len(steps)-1] = condition(func(w *walk) bool { return !w.routeLeadsBack() })
		default:
			m, ok := optionIs(module, option, w.nextValues(), sets)
			if ok {
				steps = append(steps, condition(negate(m, negated)))
			} else {
				steps = append(steps, always(decision{kind: unknown}))
			}
		}
	}
	return steps
}

// moduleStep is what loading a match module asks by itself: mostly nothing.
func moduleStep(name string) step {
	switch name {
	case "tcp", "udp", "icmp", "icmp6", "conntrack", "state", "set", "addrtype", "mark", "connmark", "comment", "multiport", "iprange", "pkttype":
		return always(decision{})
	case "rpfilter":
		return condition((*walk).routeLeadsBack)
	default:
		return always(decision{kind: unknown})
	}
}

// optionIs is the match of an option with its values.
func optionIs(module, option string, values []string, sets map[string][]netip.Prefix) (match, bool) {
	switch option {
	case "--match-set":
		return inIPSet(values, sets)
	case "--tcp-flags":
		return tcpFlagsAre(values)
	}
	if len(values) != 1 {
		return nil, false
	}
	if option == "--mark" {
		if module == "connmark" {
			return maskedIs(values[0], func(w *walk) uint32 { return w.connMark })
		}
		return maskedIs(values[0], func(w *walk) uint32 { return w.mark })
	}
	list := strings.Split(values[0], ",")
	if f := optionField(option); f != fields {
		var all []span
		for _, v := range list {
			s, ok := fieldSpan(f, v, nil)
			if !ok {
				return nil, false
			}
			all = append(all, s)
		}
		return matchAmong(f, newSpans(all)), true
	}
	trait := optionTrait(option)
	var all []match
	for _, v := range list {
		if trait == nil {
			return nil, false
		}
		m, ok := trait(v)
		if !ok {
			return nil, false
		}
		all = append(all, m)
	}
	return anyOf(all), true
}

// optionField is the field that an option asks for; fields if it asks for none.
func optionField(option string) field {
	switch option {
	case "-s", "--src-range":
		return srcAddr
	case "-d", "--dst-range":
		return dstAddr
	case "-p":
		return protocol
	case "--sport", "--sports":
		return sourcePort
	case "--dport", "--dports":
		return targetPort
	default:
		return fields
	}
}

// optionTrait is nil for an option that is not known.
func optionTrait(option string) trait {
	starred := func(t trait) trait { // iptables writes a plus for a star
		return func(name string) (match, bool) {
			if stem, open := strings.CutSuffix(name, "+"); open {
				name = stem + "*"
			}
			return t(name)
		}
	}
	return map[string]trait{
		"-i": starred(inIs), "-o": starred(outIs), "--icmp-type": icmpIs, "--icmpv6-type": icmp6Is,
		"--ctstate": stateIs, "--state": stateIs, "--ctstatus": statusIs,
		"--src-type": sourceIs, "--dst-type": targetIs, "--pkt-type": packetIs,
	}[option]
}

func tcpFlagsAre(values []string) (match, bool) {
	if len(values) != 2 {
		return nil, false
	}
	var bits [2]uint64
	for i, list := range values {
		for name := range strings.SplitSeq(list, ",") {
			n, ok := namedNumber(name, tcpFlags())
			if !ok {
				return nil, false
			}
			bits[i] |= n
		}
	}
	return func(w *walk) bool { return w.tcpFlags()&bits[0] == bits[1] }, true
}

// maskedIs reads VALUE or VALUE/MASK, of a mark.
func maskedIs(text string, mark func(*walk) uint32) (match, bool) {
	v, m, masked := strings.Cut(text, "/")
	if !masked {
		m = "0xffffffff"
	}
	want, err1 := strconv.ParseUint(v, 0, 32)
	mask, err2 := strconv.ParseUint(m, 0, 32)
	return func(w *walk) bool { return uint64(mark(w))&mask == want }, err1 == nil && err2 == nil
}

// inIPSet is the match with an ipset, by one address.
func inIPSet(values []string, sets map[string][]netip.Prefix) (match, bool) {
	if len(values) != 2 || values[1] != "src" && values[1] != "dst" {
		return nil, false
	}
	set, ok := sets[values[0]]
	if !ok {
		return nil, false
	}
	f := dstAddr
	if values[1] == "src" {
		f = srcAddr
	}
	return matchAmong(f, prefixSpans(set)), true
}

// routeLeadsBack is what a filter by reverse path asks. The routes are not the firewall's: it
// is taken to hold but for what enters where it also leaves, as packets redirected to a bridge do.
func (w *walk) routeLeadsBack() bool { return w.in != w.out }

// words are those of a line that are still to be read.
type words []string

// nextWord takes the first; empty at the end.
func (w *words) nextWord() string {
	if len(*w) == 0 {
		return ""
	}
	first := (*w)[0]
	*w = (*w)[1:]
	return first
}

// nextValues takes those up to the next option.
func (w *words) nextValues() []string {
	n := slices.IndexFunc(*w, func(s string) bool { return s == "!" || strings.HasPrefix(s, "-") })
	if n < 0 {
		n = len(*w)
	}
	values := (*w)[:n]
	*w = (*w)[n:]
	return values
}

// splitWords cuts a line into words at blanks. A quoted word loses its quotes.
func splitWords(line string) []string {
	var all []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		if line[0] == '"' {
			word, rest := quoted(line[1:])
			all, line = append(all, word), rest
			continue
		}
		end := strings.IndexAny(line, " \t\"")
		if end < 0 {
			end = len(line)
		}
		all, line = append(all, line[:end]), line[end:]
	}
	return all
}

// quoted reads up to the closing quote; a backslash keeps the character behind it.
func quoted(s string) (word, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
