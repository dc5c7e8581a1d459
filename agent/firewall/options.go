package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// readOptions reads one line of iptables: -A CHAIN, matches, target.
func readOptions(line string, sets map[string][]netip.Prefix) []step {
	w := &words{all: splitWords(line)}
	w.skip(2)
	var steps []step
	module := ""
	for w.more() {
		negated := w.takeWord("!")
		switch option := w.nextWord(); option {
		case "-j":
			return append(steps, readTarget(w)...)
		case "-g":
			return append(steps, always(decision{kind: leap, chain: w.nextWord()}))
		case "-m":
			module = w.nextWord()
			steps = append(steps, moduleStep(module))
		case "--comment":
			w.nextWord()
		case "--invert":
			if module != "rpfilter" {
				steps = append(steps, always(decision{kind: unknown}))
				continue
			}
			steps[len(steps)-1] = condition(func(w *walk) bool { return !w.routeLeadsBack() })
		default:
			m, ok := optionIs(module, option, w.until(isOption), sets)
			if ok {
				steps = append(steps, condition(negate(m, negated)))
			} else {
				steps = append(steps, always(decision{kind: unknown}))
			}
		}
	}
	return steps
}

func isOption(word string) bool { return word == "!" || strings.HasPrefix(word, "-") }

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
	if f, ok := optionField(option); ok {
		var all []span
		for _, v := range list {
			s, ok := fieldSpan(f, v)
			if !ok {
				return nil, false
			}
			all = append(all, s)
		}
		return matchAmong(f, newSpans(all)), true
	}
	var all []match
	for _, v := range list {
		m, ok := optionTrait(option, v)
		if !ok {
			return nil, false
		}
		all = append(all, m)
	}
	return anyOf(all), true
}

func optionField(option string) (field, bool) {
	switch option {
	case "-s", "--src-range":
		return srcAddr, true
	case "-d", "--dst-range":
		return dstAddr, true
	case "-p":
		return protocol, true
	case "--sport", "--sports":
		return sourcePort, true
	case "--dport", "--dports":
		return targetPort, true
	default:
		return fields, false
	}
}

func optionTrait(option, value string) (match, bool) {
	switch option {
	case "-i", "-o":
		t := inName
		if option == "-o" {
			t = outName
		}
		if stem, ok := strings.CutSuffix(value, "+"); ok {
			value = stem + "*"
		}
		return traitIs(t, value)
	case "--icmp-type":
		return icmpIs(value)
	case "--icmpv6-type":
		return icmp6Is(value)
	case "--ctstate", "--state":
		return traitIs(connState, value)
	case "--ctstatus":
		return traitIs(connStatus, value)
	case "--src-type":
		return traitIs(sourceKind, value)
	case "--dst-type":
		return traitIs(targetKind, value)
	case "--pkt-type":
		return traitIs(packetKind, value)
	default:
		return nil, false
	}
}

func tcpFlagsAre(values []string) (match, bool) {
	if len(values) != 2 {
		return nil, false
	}
	var bits [2]uint64
	for i, list := range values {
		for name := range strings.SplitSeq(list, ",") {
			n, ok := tcpFlag(name)
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
	var v4, v6 []span
	for _, p := range set {
		if p.Addr().Is6() {
			v6 = append(v6, prefixSpan(p))
		} else {
			v4 = append(v4, prefixSpan(p))
		}
	}
	set4, set6 := newSpans(v4), newSpans(v6)
	return func(w *walk) bool {
		if w.v6 {
			return w.among(f, set6)
		}
		return w.among(f, set4)
	}, true
}

// routeLeadsBack is what a filter by reverse path asks. The routes are not the firewall's: it
// is taken to hold but for what enters where it also leaves, as packets redirected to a bridge do.
func (w *walk) routeLeadsBack() bool { return w.in != w.out }

// words are a line's, read one by one.
type words struct {
	all []string
	at  int
}

func (w *words) more() bool { return w.at < len(w.all) }

// peek is the word n ahead, empty past the end.
func (w *words) peek(n int) string {
	if w.at+n >= len(w.all) {
		return ""
	}
	return w.all[w.at+n]
}

func (w *words) nextWord() string {
	s := w.peek(0)
	w.at++
	return s
}

// takeWord steps over a word if it comes next.
func (w *words) takeWord(want string) bool {
	if !w.more() || w.peek(0) != want {
		return false
	}
	w.at++
	return true
}

// until reads on to the first word of which stop says so.
func (w *words) until(stop func(string) bool) []string {
	from := w.at
	for w.more() && !stop(w.peek(0)) {
		w.at++
	}
	return w.all[min(from, len(w.all)):min(w.at, len(w.all))]
}

// skip steps over n words.
func (w *words) skip(n int) { w.at = min(w.at+n, len(w.all)) }

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
