package firewall

import (
	"net/netip"
	"slices"
)

// steps reads a rule of nftables, statement by statement.
func (t *nftTable) steps(exprs []any) []step {
	var all []step
	for _, e := range exprs {
		if _, printed := e.(string); printed {
			// What nft has no JSON for comes as its text, a chain without a name for one.
			all = append(all, always(decision{kind: undecided}))
		}
		for key, value := range object(e) {
			all = append(all, t.statement(key, value)...)
		}
	}
	return all
}

func object(e any) map[string]any {
	o, _ := e.(map[string]any)
	return o
}

// statement reads one. What neither decides nor changes what rules look at goes on; what is
// not known at all leaves the rule in doubt.
func (t *nftTable) statement(key string, value any) []step {
	unclear := []step{always(decision{kind: unknown})}
	switch key {
	case "match":
		return t.matchSteps(object(value))
	case "vmap":
		return t.vmapSteps(object(value))
	case "counter", "log", "ct helper", "ct timeout", "ct expectation", "flow", "last", "dup", "secmark", "tcp option", "reset":
		return nil
	case "set", "map", "meter":
		if object(value)["stmt"] == nil {
			return nil
		}
		return unclear
	case "mangle":
		return mangleSteps(object(value))
	case "notrack":
		return []step{always(decision{kind: change, change: untrack})}
	case "xt":
		return xtSteps(object(value))
	}
	if d, ok := readVerdict(key, value); ok {
		return []step{always(d)}
	}
	return unclear
}

// readVerdict reads a decision.
func readVerdict(key string, value any) (decision, bool) {
	switch key {
	case "accept":
		return decision{kind: accept}, true
	case "drop", "reject":
		return decision{kind: drop}, true
	case "return":
		return decision{kind: back}, true
	case "continue":
		return decision{}, true
	case "jump", "goto":
		d := decision{kind: jump}
		if key == "goto" {
			d.kind = leap
		}
		d.chain, _ = object(value)["target"].(string)
		return d, true
	case "masquerade":
		return decision{kind: translate, change: masquerade}, true
	case "snat", "dnat", "redirect":
		return readTranslation(key, object(value)), true
	case "queue", "tproxy", "synproxy", "fwd":
		return decision{kind: undecided}, true
	default:
		return decision{}, false
	}
}

// readTranslation reads snat, dnat and redirect. A mapping of an address to itself settles the
// translation and changes nothing.
func readTranslation(key string, value map[string]any) decision {
	port, portOK := firstPort(value["port"])
	itself := object(object(value["addr"])["payload"])["field"]
	if key == "snat" && itself == "saddr" || key == "dnat" && itself == "daddr" {
		return decision{kind: translate, change: func(*walk) {}}
	}
	var to netip.Addr
	if value["addr"] != nil {
		var err error
		if to, err = netip.ParseAddr(textOr(value["addr"], "")); err != nil {
			portOK = false
		}
	}
	if !portOK && key != "redirect" {
		return decision{kind: undecided}
	}
	return translation(key, to, port)
}

// firstPort is a port, or the first of a range; zero if none is given.
func firstPort(v any) (uint16, bool) {
	if ends, ok := object(v)["range"].([]any); ok && len(ends) == 2 {
		v = ends[0]
	}
	n, ok := v.(float64)
	return uint16(n), ok || v == nil
}

// mangleSteps reads what is set. Marks are followed; other fields that rules look at are not.
func mangleSteps(m map[string]any) []step {
	key := object(m["key"])
	payload, _ := object(key["payload"])["field"].(string)
	meta, _ := object(key["meta"])["key"].(string)
	ct, _ := object(key["ct"])["key"].(string)
	value, ok := markValue(m["value"])
	switch {
	case meta == "mark" && ok:
		return []step{always(decision{kind: change, change: func(w *walk) { w.mark = value(w) }})}
	case ct == "mark" && ok:
		return []step{always(decision{kind: change, change: func(w *walk) { w.connMark = value(w) }})}
	case meta == "mark", ct == "mark", slices.Contains([]string{"saddr", "daddr", "sport", "dport"}, payload):
		return []step{always(decision{kind: undecided})}
	default:
		return nil
	}
}

// markValue reads the value that a mark is set to, which may be made of what it was.
func markValue(e any) (func(*walk) uint32, bool) {
	if n, ok := e.(float64); ok {
		return func(*walk) uint32 { return uint32(n) }, true
	}
	for key, value := range object(e) {
		name, _ := object(value)["key"].(string)
		switch {
		case key == "meta" && name == "mark":
			return func(w *walk) uint32 { return w.mark }, true
		case key == "ct" && name == "mark":
			return func(w *walk) uint32 { return w.connMark }, true
		}
		operands, _ := value.([]any)
		if len(operands) < 2 {
			return nil, false
		}
		sum, ok := markValue(operands[0])
		for _, o := range operands[1:] {
			next, known := markValue(o)
			sum, ok = combine(key, sum, next), ok && known
		}
		return sum, ok && slices.Contains([]string{"&", "|", "^", "<<", ">>"}, key)
	}
	return nil, false
}

func combine(op string, a, b func(*walk) uint32) func(*walk) uint32 {
	return func(w *walk) uint32 {
		x, y := a(w), b(w)
		switch op {
		case "&":
			return x & y
		case "|":
			return x | y
		case "^":
			return x ^ y
		case "<<":
			return x << y
		default:
			return x >> y
		}
	}
}

// xtSteps reads what iptables-nft keeps in a form that nft cannot print: of some the name says
// enough.
func xtSteps(xt map[string]any) []step {
	name, _ := xt["name"].(string)
	kind, _ := xt["type"].(string)
	d := decision{kind: unknown}
	switch name {
	case "comment", "LOG", "NFLOG", "TCPMSS", "CHECKSUM", "CLASSIFY":
		return nil
	case "REJECT":
		d = decision{kind: drop}
	case "MASQUERADE":
		d = decision{kind: translate, change: masquerade}
	default:
		if kind == "target" || kind == "" {
			d = decision{kind: undecided}
		}
	}
	return []step{always(d)}
}

// branch is an element of a map of decisions.
type branch struct {
	match match
	decision
}

// vmapSteps decides by the first element that matches; without one the rule ends.
func (t *nftTable) vmapSteps(v map[string]any) []step {
	unclear := []step{always(decision{kind: undecided})}
	left, implied, ok := readSubjects(v["key"])
	elements, known := t.elements(v["data"])
	if !ok || !known {
		return unclear
	}
	var branches []branch
	for _, e := range elements {
		b, catchAll, ok := readBranch(left, e)
		switch {
		case !ok:
			return unclear
		case catchAll:
			branches = append(branches, b)
		default:
			branches = slices.Insert(branches, 0, b)
		}
	}
	return append(implied, func(w *walk) decision {
		for _, b := range branches {
			if b.match(w) {
				return b.decision
			}
		}
		return decision{kind: differs}
	})
}

// readBranch reads a key and its decision; catchAll is what counts for all other keys.
func readBranch(left []subject, e any) (b branch, catchAll, ok bool) {
	pair, _ := e.([]any)
	if len(pair) != 2 {
		return b, false, false
	}
	m, understood := matchElements(left, []any{pair[0]})
	for key, value := range object(pair[1]) {
		d, known := readVerdict(key, value)
		b, ok = branch{m, d}, understood && known
	}
	return b, pair[0] == "*", ok
}
