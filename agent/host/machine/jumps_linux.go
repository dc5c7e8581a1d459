package machine

import "strings"

// jump is a rule that leads from a chain of others to ours.
type jump struct {
	table, from, to string
	first           bool // must be the first rule; otherwise being there is enough
}

// jumps are all the places our chains are called from. DOCKER-USER is the one chain that
// Docker puts first and never empties; up to 28.1 it ends with RETURN, so only the first
// place counts. The jump in FORWARD stands in after somebody ran iptables -F, until Docker
// restarts. Docker only appends to raw PREROUTING.
func jumps() []jump {
	return []jump{
		{"raw", "PREROUTING", chainRaw, true},
		{"filter", dockerUser, chainFwd, true},
		{"filter", "FORWARD", chainFwd, false},
	}
}

// is reports whether a printed rule is this jump, with our comment or without.
func (j jump) is(rule string) bool {
	rest, ok := strings.CutPrefix(rule, "-A "+j.from+" ")
	rest = strings.TrimPrefix(strings.ReplaceAll(rest, `"`, ""), mine+" ")
	return ok && rest == "-j "+j.to
}

// moves are the lines that bring the jump to its place among the rules of the chain it
// leads from; none if it is there, once. A jump that others got ahead of is taken out and
// put first again in the same transaction.
func (j jump) moves(rules []string) []string {
	var lines []string
	at := -1
	for i, r := range rules {
		if j.is(r) {
			at = i
			lines = append(lines, "-D"+strings.TrimPrefix(r, "-A"))
		}
	}
	if len(lines) == 1 && (!j.first || at == 0) {
		return nil
	}
	return append(lines, "-I "+j.from+" 1 "+mine+" -j "+j.to)
}
