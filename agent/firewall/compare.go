package firewall

// matchSteps reads a match: what it looks at, how it compares, and with what.
func (t *nftTable) matchSteps(m map[string]any) []step {
	unclear := []step{always(decision{kind: unknown})}
	op, _ := m["op"].(string)
	left, implied, ok := readSubjects(m["left"])
	if !ok {
		return unclear
	}
	elements, ok := t.elements(m["right"])
	if !ok {
		return append(implied, unclear...)
	}
	var found match
	switch op {
	case "==", "!=", "in":
		found, ok = matchElements(left, elements)
		if op == "in" && left[0].bits != nil {
			found, ok = left[0].hasAny(m["right"])
		}
	case "<", "<=", ">", ">=":
		found, ok = left[0].ordered(op, m["right"])
	default:
		ok = false
	}
	if !ok {
		return append(implied, unclear...)
	}
	return append(implied, condition(negate(found, op == "!=")))
}

// elements are the right-hand side as a list: a value, several, or a set between braces or by
// name; ok is false if the elements of a named one are not known.
func (t *nftTable) elements(v any) (all []any, ok bool) {
	if set, isSet := object(v)["set"]; isSet {
		v = set
	}
	switch v := v.(type) {
	case []any:
		return unwrapped(v), true
	case string:
		if len(v) > 1 && v[0] == '@' {
			all, ok = t.sets[v[1:]]
			return unwrapped(all), ok
		}
	}
	return []any{v}, true
}

// unwrapped takes elements out of what tells of their timeouts, counters and comments.
func unwrapped(all []any) []any {
	bare := make([]any, 0, len(all))
	for _, e := range all {
		if pair, ok := e.([]any); ok && len(pair) == 2 {
			bare = append(bare, []any{unwrap(pair[0]), pair[1]})
			continue
		}
		bare = append(bare, unwrap(e))
	}
	return bare
}

func unwrap(e any) any {
	if inner := object(object(e)["elem"]); inner != nil {
		return inner["val"]
	}
	return e
}

// matchElements is the match with any of the elements; ok is false if one of them is not
// understood.
func matchElements(left []subject, elements []any) (match, bool) {
	if len(left) == 1 {
		return left[0].anyElement(elements)
	}
	all := make([]match, 0, len(elements))
	for _, e := range elements {
		parts, _ := object(e)["concat"].([]any)
		if len(parts) != len(left) {
			return nil, false
		}
		var joined []match
		for i, p := range parts {
			m, ok := left[i].anyElement([]any{p})
			if !ok {
				return nil, false
			}
			joined = append(joined, m)
		}
		all = append(all, allOf(joined))
	}
	return anyOf(all), true
}

func (s subject) anyElement(elements []any) (match, bool) {
	if s.isField() {
		var all []span
		for _, e := range elements {
			one, ok := s.valueSpan(e)
			if !ok {
				return nil, false
			}
			all = append(all, one)
		}
		return matchAmong(s.field, newSpans(all)), true
	}
	all := make([]match, 0, len(elements))
	for _, e := range elements {
		m, ok := s.oneElement(e)
		if !ok {
			return nil, false
		}
		all = append(all, m)
	}
	return anyOf(all), true
}

func (s subject) oneElement(e any) (match, bool) {
	if s.trait != nil {
		return s.trait(valueText(e))
	}
	if ends, ok := object(e)["range"].([]any); ok && len(ends) == 2 {
		from, ok1 := s.number(ends[0])
		to, ok2 := s.number(ends[1])
		return func(w *walk) bool { n := s.bits(w) & s.mask; return from <= n && n <= to }, ok1 && ok2
	}
	want, ok := s.number(e)
	return func(w *walk) bool { return s.bits(w)&s.mask == want }, ok
}

// hasAny is the match with any of the bits.
func (s subject) hasAny(v any) (match, bool) {
	want, ok := s.number(v)
	return func(w *walk) bool { return s.bits(w)&want != 0 }, ok
}

// ordered is the match with all that is less or more.
func (s subject) ordered(op string, v any) (match, bool) {
	if !s.isField() {
		return nil, false
	}
	one, ok := s.valueSpan(v)
	if !ok {
		return nil, false
	}
	below := span{to: one.to}
	if op == "<" || op == ">=" {
		if below.to = one.from.Prev(); !below.to.IsValid() {
			return func(*walk) bool { return op == ">=" }, true
		}
	}
	return negate(matchAmong(s.field, spans{below}), op[0] == '>'), true
}
