package firewall

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// markUse is which bits of a packet's mark a table looks at or sets.
type markUse struct {
	family, table string
	bits          uint32
}

// UsedMarks are the bits of a packet's mark that rules of any table look at or set, but for
// tables of nftables of the names given, which are one's own.
func (r *Ruleset) UsedMarks(except ...string) uint32 {
	var used uint32
	for _, m := range r.marks {
		if m.family == "" || !slices.Contains(except, m.table) {
			used |= m.bits
		}
	}
	return used
}

// markBits are the bits in what iptables prints: options like --set-xmark 0x4000/0xf000. A
// value of all bits is a mask that leaves none out, and says nothing.
func (s Save) markBits() uint32 {
	if !strings.Contains(s.text, "mark") && !strings.Contains(s.text, "mask") {
		return 0
	}
	var used uint32
	option := regexp.MustCompile(`--\S*(?:mark|mask) (0x[0-9a-f]+)(?:/(0x[0-9a-f]+))?`)
	for _, m := range option.FindAllStringSubmatch(s.text, -1) {
		mark, _ := strconv.ParseUint(m[1], 0, 32)
		mask, _ := strconv.ParseUint(m[2], 0, 32) // 0 if there is none
		if mark != uint64(^uint32(0)) {
			used |= MarkBits(uint32(mark), uint32(mask))
		}
	}
	return used
}

// MarkBits are the bits that a mark with a mask is about. A mask of all bits is what those
// give who do not care; then the mark's own bits count.
func MarkBits(mark, mask uint32) uint32 {
	if mask == ^uint32(0) || mask == 0 {
		return mark
	}
	return mask
}

// exprMarks are the bits of one rule of nftables: those compared, and those that are not as
// before when a mark is set.
func exprMarks(exprs []any) uint32 {
	var used uint32
	for _, e := range exprs {
		o := object(e)
		if value, mask, ok := comparedMark(object(o["match"])); ok {
			used |= MarkBits(valueMarks(value), mask)
		}
		if m := object(o["mangle"]); m != nil && isMark(m["key"]) {
			used |= changedMarks(m["value"])
		}
		if v := object(o["vmap"]); v != nil && isMark(v["key"]) {
			used |= valueMarks(object(v["data"])["set"])
		}
	}
	return used
}

func isMark(e any) bool { return object(object(e)["meta"])["key"] == "mark" }

// comparedMark reads a match with a mark: with which value it is compared under which mask.
func comparedMark(m map[string]any) (value any, mask uint32, ok bool) {
	left, mask := m["left"], ^uint32(0)
	if operands, masked := object(left)["&"].([]any); masked && len(operands) == 2 {
		bits, _ := operands[1].(float64)
		left, mask = operands[0], uint32(bits)
	}
	return m["right"], mask, isMark(left)
}

// valueMarks are the bits of all numbers in a value.
func valueMarks(v any) uint32 {
	var used uint32
	switch v := v.(type) {
	case float64:
		return uint32(v)
	case []any:
		for _, e := range v {
			used |= valueMarks(e)
		}
	case map[string]any:
		for _, e := range v {
			used |= valueMarks(e)
		}
	}
	return used
}

// changedMarks are the bits that are not as before. Who sets all of them is taken to mean
// those that are not zero.
func changedMarks(value any) uint32 {
	f, ok := markValue(value)
	if !ok {
		return valueMarks(value)
	}
	zeros, ones := f(&walk{}), f(&walk{traveler: traveler{mark: ^uint32(0)}})
	kept := ^zeros & ones
	if zeros == ones {
		return zeros
	}
	return ^kept
}

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

// asks reports whether one of a rule's matches looks at one of these, by nft's words, and is as
// told.
func (r *nftRule) asks(told func(match map[string]any) bool, left ...string) bool {
	return slices.ContainsFunc(r.Expr, func(e any) bool {
		m := object(object(e)["match"])
		return m != nil && slices.Contains(left, exprText(m["left"])) && told(m)
	})
}

// ends reports whether a rule ends with a decision of that name.
func (r *nftRule) ends(verdict string) bool {
	return slices.ContainsFunc(r.Expr, func(e any) bool {
		_, ok := object(e)[verdict]
		return ok
	})
}

// dropsContainer tells a drop for a container's address from the one that keeps others away
// from ports published on a loopback address.
func dropsContainer(r *nftRule) bool {
	loopback := func(m map[string]any) bool {
		s, ok := addressSpan(valueText(m["right"]))
		return ok && m["op"] == "==" && s.from.IsLoopback()
	}
	return r.ends("drop") && !r.asks(loopback, "ip daddr")
}

// dropsOutside tells the rule of an internal network, which drops whatever does not come
// from its own bridge and which no mark gets past.
func dropsOutside(r *nftRule) bool {
	other := func(m map[string]any) bool { return m["op"] == "!=" }
	return r.ends("drop") && r.asks(other, "iifname", "iif")
}

// acceptedMark is the mark that a bridge's chain accepts; zero if none.
func acceptedMark(rules []*nftRule) (mark, mask uint32) {
	for _, r := range rules {
		if !r.ends("accept") || len(r.Expr) == 0 {
			continue
		}
		m := object(object(r.Expr[0])["match"])
		if right, mask, ok := comparedMark(m); ok && m["op"] == "==" {
			value, _ := right.(float64)
			return uint32(value), mask
		}
	}
	return 0, 0
}

// closesBridge reports whether a bridge's chain ends with a drop and lets not even pings in:
// that of gateway mode nat. Mode nat-unprotected ends with an accept, mode routed accepts ICMP.
func closesBridge(rules []*nftRule) bool {
	pings := func(r *nftRule) bool {
		icmp := func(m map[string]any) bool { return mentions(m["right"], "icmp", "ipv6-icmp") }
		return r.ends("accept") && r.asks(icmp, "ip protocol", "meta l4proto")
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
