package firewall

import (
	"slices"
	"strconv"
	"strings"
)

// statement reads a rule of the nft listing.
func statement(line string, sets map[string][]element) *rule {
	return clauses(&words{all: split(line, "{},")}, sets)
}

// clauses reads a rule, or what follows a map of decisions in one.
func clauses(w *words, sets map[string][]element) *rule {
	r := &rule{}
	for w.more() {
		switch word := w.peek(0); {
		case w.take("comment"):
			w.next()
		case w.take("counter", "name"):
			w.next()
		case w.take("counter"):
			w.until(func(s string) bool { return !isCount(s) })
		case w.take("log"):
			skipLog(w)
		case w.take("limit"):
			r.unknown = true
			w.until(endsClause)
		case w.take("meta", "mark", "set"), w.take("mark", "set"):
			r.setMark(w.until(endsClause))
		case isVerdict(word):
			r.decide = always(verdict(w))
		case r.unknown:
			w.next()
		default:
			r.expression(w, sets)
			if r.decide != nil {
				r.rest = clauses(w, sets)
			}
		}
	}
	return r
}

// skipLog steps over the options of log; its prefix may be any word.
func skipLog(w *words) {
	for w.more() && !endsClause(w.peek(0)) {
		if w.next() == "prefix" {
			w.next()
		}
	}
}

// isCount says whether a word belongs to a counter.
func isCount(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil || s == "packets" || s == "bytes"
}

func isVerdict(s string) bool {
	switch s {
	case "accept", "drop", "reject", "return", "continue", "jump", "goto", "masquerade", "snat", "dnat", "redirect", "queue", "tproxy", "notrack":
		return true
	default:
		return false
	}
}

func endsClause(s string) bool { return isVerdict(s) || s == "comment" }

// verdict reads the rule's decision, to the end of the line or the next comment.
func verdict(w *words) decision {
	word := w.next()
	rest := w.until(func(s string) bool { return s == "comment" })
	switch word {
	case "accept":
		return decision{kind: accept}
	case "drop", "reject":
		return decision{kind: drop}
	case "return":
		return decision{kind: back}
	case "continue":
		return decision{}
	case "jump", "goto":
		if len(rest) != 1 {
			return decision{kind: unknown}
		}
		if word == "goto" {
			return decision{kind: leap, chain: rest[0]}
		}
		return decision{kind: jump, chain: rest[0]}
	case "masquerade":
		return decision{kind: translate, nat: masquerade}
	case "snat", "dnat", "redirect":
		return natVerdict(word, rest)
	default:
		return decision{kind: unknown}
	}
}

// natVerdict reads: snat to 10.0.0.1, dnat ip to 10.0.0.2:80, redirect to :80, and the mapping
// of an address to itself, which settles the translation and changes nothing: snat to ip saddr.
func natVerdict(word string, rest []string) decision {
	w := &words{all: rest}
	if !w.take("ip") {
		w.take("ip6")
	}
	to := ""
	if w.take("to") {
		to = w.next()
	}
	field := w.peek(0)
	itself := (to == "ip" || to == "ip6") && len(rest) == w.at+1 && (word == "snat" && field == "saddr" || word == "dnat" && field == "daddr")
	if itself {
		return decision{kind: translate, nat: func(*walk) {}}
	}
	addr, port, ok := addrPort(to)
	switch {
	case word == "redirect":
		return decision{kind: translate, nat: redirect(to)}
	case !ok:
		return decision{kind: unknown}
	case word == "snat":
		return decision{kind: translate, nat: snat(addr)}
	default:
		return decision{kind: translate, nat: dnat(addr, port)}
	}
}

// setMark reads the values that nft prints: 0x1, meta mark | 0x1, meta mark & 0xff ^ 0x1.
func (r *rule) setMark(value []string) {
	w := &words{all: value}
	without, flip, join := uint64(0xffffffff), uint64(0), uint64(0)
	if w.take("meta", "mark") {
		without = 0
	}
	for w.more() {
		op := "|"
		if w.at > 0 {
			op = w.next()
		}
		n, err := strconv.ParseUint(w.next(), 0, 32)
		switch {
		case err != nil:
			r.unknown = true
			return
		case op == "&" || op == "and":
			without |= ^n
		case op == "^" || op == "xor":
			flip = n
		case op == "|" || op == "or":
			join = n
		default:
			r.unknown = true
			return
		}
	}
	r.marks = append(r.marks, func(old uint32) uint32 { return (old &^ uint32(without)) ^ uint32(flip) | uint32(join) })
}

// expression reads one match, or one map of decisions.
func (r *rule) expression(w *words, sets map[string][]element) {
	f, also := selector(w)
	if f == noField {
		r.unknown = true
		w.next()
		return
	}
	r.matches = append(r.matches, also...)
	if w.take("vmap") {
		all, ok := operand(w, sets)
		r.unknown = r.unknown || !ok
		r.vmap(f, all)
		return
	}
	mask := ""
	if f == markField && (w.take("&") || w.take("and")) {
		mask = "/" + w.next()
	}
	negated := w.take("!=")
	if !negated {
		w.take("==")
	}
	all, found := operand(w, sets)
	m, ok := member(f, all, mask)
	if !ok || !found {
		r.unknown = true
		return
	}
	if negated {
		m = not(m)
	}
	r.matches = append(r.matches, m)
}

// operand is the right-hand side: a value, values between commas, a set between braces or by
// name; ok is false if nothing has that name.
func operand(w *words, sets map[string][]element) (all []element, ok bool) {
	if w.take("{") {
		return elements(w), true
	}
	value := w.next()
	if name, isName := strings.CutPrefix(value, "@"); isName {
		all, ok = sets[name]
		return all, ok
	}
	all = append(all, element{key: []string{value}})
	for w.take(",") {
		all = append(all, element{key: []string{w.next()}})
	}
	return all, true
}

// member is the match of a field with any of the elements; ok is false if one of them is not
// understood.
func member(f field, all []element, mask string) (m match, ok bool) {
	ms := make([]match, 0, len(all))
	for _, e := range all {
		if len(e.key) == 0 || slices.Contains(e.key, ".") {
			return nil, false
		}
		m, ok := is(f, e.key[0]+mask)
		if !ok {
			return nil, false
		}
		ms = append(ms, m)
	}
	return anyOf(ms), true
}

// vmap decides by the first element that matches; without one, or with one that decides
// nothing, the rule ends or goes on.
func (r *rule) vmap(f field, all []element) {
	type entry struct {
		match match
		decision
	}
	var entries []entry
	for _, e := range all {
		m, ok := member(f, []element{e}, "")
		r.unknown = r.unknown || !ok
		entries = append(entries, entry{m, verdict(&words{all: e.value})})
	}
	r.decide = func(w *walk) decision {
		for _, e := range entries {
			if e.match == nil || e.match(w) {
				return e.decision
			}
		}
		return decision{missed: true}
	}
}
