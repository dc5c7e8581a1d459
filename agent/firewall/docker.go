package firewall

import (
	"slices"
	"strings"
)

// Docker's own table of its nftables backend, in families ip and ip6, and what matters of it.
const (
	dockerTable = "docker-bridges"
	dockerRaw   = "raw-PREROUTING"
	dockerIn    = "filter-forward-in__" // and the name of a bridge
)

// DockerTable is what Docker's own table of nftables says.
type DockerTable struct {
	Present    bool
	Drops      bool     // it drops packets for a container's address that enter by another interface
	Mark, Mask uint32   // what every bridge accepts, but for those of internal networks; 0 for none
	Told       []Bridge // whose chains are there
	// Closed are those whose containers nobody reaches from outside by their own addresses,
	// unless Docker was told to allow direct routing; it then drops that no more.
	Closed   []Bridge
	Internal []Bridge // those that let nothing in or out
	asked    int
}

// Bridge is one in a family: ip or ip6.
type Bridge struct{ Family, Name string }

// DockerTable is what Docker's own table says.
func (r *Ruleset) DockerTable() DockerTable { return r.docker }

// Starting reports whether Docker has its table and no bridge in it yet. It writes the chains
// of bridges one by one when it starts, and what it was told shows in these only.
func (d DockerTable) Starting() bool { return d.Present && len(d.Told) == 0 }

func (d *DockerTable) sort() {
	for _, all := range [][]Bridge{d.Told, d.Closed, d.Internal} {
		slices.SortFunc(all, func(a, b Bridge) int { return strings.Compare(a.Family+" "+a.Name, b.Family+" "+b.Name) })
	}
}

// learnChain adds what a chain of Docker's table says. A mark counts if every bridge accepts
// it, but for those of internal networks, which take nothing from outside.
func (d *DockerTable) learnChain(family, name string, rules []*nftRule) {
	d.Present = true
	if name == dockerRaw {
		d.Drops = d.Drops || slices.ContainsFunc(rules, dropsContainer)
	}
	bridge, ok := strings.CutPrefix(name, dockerIn)
	if !ok {
		return
	}
	b := Bridge{family, bridge}
	d.Told = append(d.Told, b)
	if slices.ContainsFunc(rules, dropsOutside) {
		d.Internal = append(d.Internal, b)
		return
	}
	mark, mask := acceptedMark(rules)
	if d.asked++; d.asked > 1 && (mark != d.Mark || mask != d.Mask) {
		mark, mask = 0, 0
	}
	d.Mark, d.Mask = mark, mask
	if closesBridge(rules) {
		d.Closed = append(d.Closed, b)
	}
}

// matchesOf are the matches of a rule, by the text of what they look at.
func (r *nftRule) matchesOf(left string) []map[string]any {
	var all []map[string]any
	for _, e := range r.Expr {
		if m := object(object(e)["match"]); m != nil && exprText(m["left"]) == left {
			all = append(all, m)
		}
	}
	return all
}

// ends reports whether a rule ends with a decision of that name.
func (r *nftRule) ends(verdict string) bool {
	for _, e := range r.Expr {
		if _, ok := object(e)[verdict]; ok {
			return true
		}
	}
	return false
}

// dropsContainer tells a drop for a container's address from the one that keeps others away
// from ports published on a loopback address.
func dropsContainer(r *nftRule) bool {
	loopback := func(m map[string]any) bool {
		s, ok := addressSpan(valueText(m["right"]))
		return ok && m["op"] == "==" && s.from.hi == 0 && s.from.lo>>24 == 127
	}
	return r.ends("drop") && !slices.ContainsFunc(r.matchesOf("ip daddr"), loopback)
}

// dropsOutside tells the rule of an internal network, which drops whatever does not come
// from its own bridge and which no mark gets past.
func dropsOutside(r *nftRule) bool {
	other := func(m map[string]any) bool { return m["op"] == "!=" }
	return r.ends("drop") && (slices.ContainsFunc(r.matchesOf("iifname"), other) || slices.ContainsFunc(r.matchesOf("iif"), other))
}

// acceptedMark is the mark that a bridge's chain accepts; zero if none.
func acceptedMark(rules []*nftRule) (mark, mask uint32) {
	for _, r := range rules {
		if !r.ends("accept") || len(r.Expr) == 0 {
			continue
		}
		m := object(object(r.Expr[0])["match"])
		value, _ := m["right"].(float64)
		switch operands, masked := object(m["left"])["&"].([]any); {
		case m["op"] != "==":
		case isMark(m["left"]):
			return uint32(value), ^uint32(0)
		case masked && len(operands) == 2 && isMark(operands[0]):
			bits, _ := operands[1].(float64)
			return uint32(value), uint32(bits)
		}
	}
	return 0, 0
}

// closesBridge reports whether a bridge's chain ends with a drop and lets not even pings in:
// that of gateway mode nat. Mode nat-unprotected ends with an accept, mode routed accepts ICMP.
func closesBridge(rules []*nftRule) bool {
	pings := func(r *nftRule) bool {
		icmp := func(m map[string]any) bool { return mentions(m["right"], "icmp", "ipv6-icmp") }
		return r.ends("accept") && (slices.ContainsFunc(r.matchesOf("ip protocol"), icmp) || slices.ContainsFunc(r.matchesOf("meta l4proto"), icmp))
	}
	if len(rules) == 0 || slices.ContainsFunc(rules, pings) {
		return false
	}
	last := rules[len(rules)-1]
	always := !slices.ContainsFunc(last.Expr, func(e any) bool { return object(e)["match"] != nil || object(e)["limit"] != nil })
	return last.ends("drop") && always
}

// mentions reports whether a value is one of the names, or has one among its elements.
func mentions(v any, names ...string) bool {
	if set, ok := object(v)["set"].([]any); ok {
		return slices.ContainsFunc(set, func(e any) bool { return mentions(e, names...) })
	}
	return slices.Contains(names, valueText(v))
}
