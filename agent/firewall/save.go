package firewall

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sealane/sealane/api"
)

// parseSave reads what iptables-save and ip6tables-save print, of either variant.
func parseSave(backend, family, text string, sets map[string][]netip.Prefix) ([]*table, error) {
	var all []*table
	var t *table
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if counters, rest, ok := strings.Cut(line, "] "); ok && strings.HasPrefix(counters, "[") {
			line = rest
		}
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == "COMMIT":
			t = nil
		case strings.HasPrefix(line, "*"):
			t = &table{backend: backend, family: family, name: line[1:], chains: map[string]*chain{}}
			all = append(all, t)
		case t == nil:
			return nil, fmt.Errorf("line %d, %q, is outside a table: %w", n, line, api.ErrInvalid)
		case strings.HasPrefix(line, ":"):
			t.declare(strings.Fields(line[1:]))
		case strings.HasPrefix(line, "-A "):
			t.saved(line, sets)
		default:
			return nil, fmt.Errorf("line %d, %q, is no rule: %w", n, line, api.ErrInvalid)
		}
	}
	return all, nil
}

// declare makes a chain: its name, and its policy or "-" for one of the user's.
func (t *table) declare(line []string) {
	if len(line) < 2 {
		return
	}
	c := t.add(line[0])
	if line[1] == "-" {
		return
	}
	c.hook = hookNamed(strings.ToLower(line[0]))
	c.drop = line[1] == "DROP"
	c.nat = t.name == "nat"
	c.priority = savePriority(t.name, c.hook)
}

// savePriority is that of iptables' tables (linux/netfilter_ipv4.h).
func savePriority(table string, h hook) int {
	switch table {
	case "raw":
		return -300
	case "mangle":
		return -150
	case "nat":
		return natPriority(h)
	case "security":
		return 50
	default:
		return 0
	}
}

// saved reads one line: -A CHAIN, matches, target.
func (t *table) saved(line string, sets map[string][]netip.Prefix) {
	w := &words{all: split(line, "")}
	w.next()
	c, r := t.add(w.next()), &rule{}
	for w.more() {
		negated := w.take("!")
		switch option := w.next(); option {
		case "-j":
			r.decide = r.target(w)
		case "-g":
			r.decide = always(decision{kind: leap, chain: w.next()})
		case "-m":
			r.unknown = r.unknown || !isModule(w.next())
		case "--comment":
			w.next()
		default:
			m, ok := optionIs(option, w.until(isOption), sets)
			if negated && ok {
				m = not(m)
			}
			if ok {
				r.matches = append(r.matches, m)
			}
			r.unknown = r.unknown || !ok
		}
	}
	c.append(r, line)
}

func isOption(word string) bool { return word == "!" || strings.HasPrefix(word, "-") }

// isModule says whether all options of a match module are known, or it has none that count.
func isModule(name string) bool {
	switch name {
	case "tcp", "udp", "icmp", "icmp6", "conntrack", "state", "set", "addrtype", "mark", "comment", "multiport":
		return true
	default:
		return false
	}
}

// optionIs is the match of an option with its values.
func optionIs(option string, values []string, sets map[string][]netip.Prefix) (match, bool) {
	if option == "--match-set" {
		return inSet(values, sets)
	}
	f := optionField(option)
	if f == noField || len(values) != 1 {
		return nil, false
	}
	value := values[0]
	if f == inName || f == outName {
		if stem, ok := strings.CutSuffix(value, "+"); ok {
			value = stem + "*"
		}
	}
	var all []match
	for v := range strings.SplitSeq(value, ",") {
		m, ok := is(f, v)
		if !ok {
			return nil, false
		}
		all = append(all, m)
	}
	return anyOf(all), true
}

func optionField(option string) field {
	switch option {
	case "-s":
		return saddr
	case "-d":
		return daddr
	case "-i":
		return inName
	case "-o":
		return outName
	case "-p":
		return proto
	case "--sport", "--sports":
		return sport
	case "--dport", "--dports":
		return dport
	case "--icmp-type":
		return icmpType
	case "--icmpv6-type":
		return icmp6Type
	case "--ctstate", "--state":
		return connState
	case "--mark":
		return markField
	case "--src-type":
		return srcType
	case "--dst-type":
		return dstType
	default:
		return noField
	}
}

// inSet is the match with an ipset, by one address.
func inSet(values []string, sets map[string][]netip.Prefix) (match, bool) {
	if len(values) != 2 || values[1] != "src" && values[1] != "dst" {
		return nil, false
	}
	set, ok := sets[values[0]]
	return func(w *walk) bool {
		a := w.Dst
		if values[1] == "src" {
			a = w.Src
		}
		for _, p := range set {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}, ok
}
