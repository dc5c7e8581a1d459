package firewall

import (
	"net/netip"
)

// The longest walk. The kernel refuses chains that jump in a circle and nests jumps 16 deep
// (NFT_JUMP_STACK_SIZE); a dump that goes beyond these was not one of a working firewall.
const (
	maxDepth = 64
	maxRules = 1 << 20
)

// walk is a packet on its way, as it is now; or many packets that no rule so far told apart.
type walk struct {
	traveler
	values     values   // as they are now
	origin     values   // as they were on arrival
	others     []values // those that a rule told apart from the ones on this walk, as on arrival
	at         hook
	translated bool // this hook's kind of translation is settled
	untraced   bool // connection tracking has not seen it yet
	masked     bool
	redirected bool // the destination was translated
	movedBy    Rule // what did that
	by         Rule
	unsure     []doubt
	left       int
}

// traveler is what all packets of a walk have in common.
type traveler struct {
	in, out  string
	v6       bool
	state    string
	mark     uint32
	connMark uint32 // of its connection

	routedMark uint32 // the mark when its route was looked up
	toHost     bool
	toRouting  bool // the walk ends where the route is looked up
}

// values are what may differ between the packets of a walk, by field.
type values [fields]spans

type field int

const (
	srcAddr field = iota
	dstAddr
	protocol
	sourcePort
	targetPort
	icmpType
	icmpCode
	fields // how many there are
)

// doubt is a rule that was not understood, with what it would have said.
type doubt struct {
	Rule
	kind kind
}

// mostDoubts is how many doubts of a kind are noted on a walk: the first ones say enough.
const mostDoubts = 8

func (w *walk) doubt(r Rule, k kind) {
	n := 0
	for _, d := range w.unsure {
		if d.kind == k {
			n++
		}
	}
	if n < mostDoubts {
		w.unsure = append(w.unsure, doubt{r, k})
	}
}

// among says whether a field is one of the values. If that holds for some packets only, the
// walk goes on with these, and leaves the others for another one.
func (w *walk) among(f field, want spans) bool {
	have := w.values[f]
	if have.single() {
		return want.has(have[0].from)
	}
	in := have.both(want)
	if len(in) == 0 {
		return false
	}
	rest := have.without(want)
	if len(rest) > 0 {
		other := w.origin
		other[f] = rest
		w.others = append(w.others, other)
		w.values[f], w.origin[f] = in, in
	}
	return true
}

// replace changes a field on the way.
func (w *walk) replace(f field, n number) { w.values[f] = only(n) }

// crossHooks calls the hooks on the packet's way; false is a drop. One that comes in goes
// through prerouting, then forward and postrouting, or input if it is addressed to the host
// and was not translated; one that the host sends goes through output and postrouting.
func (r *Ruleset) crossHooks(w *walk) bool {
	if w.in == "" {
		return r.crossHook(w, output) && r.crossHook(w, postrouting)
	}
	if !r.crossHook(w, prerouting) {
		return false
	}
	w.routedMark = w.mark
	if w.toRouting {
		return true
	}
	if w.toHost {
		return r.crossHook(w, input)
	}
	return r.crossHook(w, forward) && r.crossHook(w, postrouting)
}

// crossHook calls the base chains of one hook.
func (r *Ruleset) crossHook(w *walk, h hook) bool {
	w.at, w.translated = h, false
	for _, c := range r.bases {
		if c.hook != h || !c.table.seesFamily(w.v6) {
			continue
		}
		// Only the first packet of a connection is asked for its translation, and the first
		// chain to answer, even by a mapping to itself, keeps later ones from being asked.
		if c.nat && (w.translated || !w.beginsConnection()) {
			continue
		}
		w.untraced = c.slot() < conntrack && (h == prerouting || h == output)
		if w.baseChain(c) == drop {
			return false
		}
	}
	return true
}

// conntrack is the priority at which the kernel looks up a packet's connection, on arrival or
// when the host sends it (NF_IP_PRI_CONNTRACK). To chains before that every packet is invalid.
const conntrack = -200

// stateSeen is that of the packet's connection as a rule sees it here.
func (w *walk) stateSeen() string {
	if w.untraced && w.state != "untracked" {
		return "invalid"
	}
	return w.state
}

// beginsConnection says whether the packet is the first of a connection, expected or not; a
// related ICMP message is about another's.
func (w *walk) beginsConnection() bool {
	return w.state == "new" || w.state == "related" && !w.among(protocol, icmpProtocols())
}

func (t *table) seesFamily(v6 bool) bool {
	return t.family == "inet" || (t.family == "ip6") == v6
}

func (w *walk) baseChain(c *chain) kind {
	k := w.crossChain(c, 0)
	if k != back {
		return k
	}
	if c.drop {
		w.by = c.ruleAt(0, "policy DROP")
		return drop
	}
	return accept
}

// crossChain returns accept, drop or, at the chain's end, back.
func (w *walk) crossChain(c *chain, depth int) kind {
	for i, r := range c.rules {
		if depth == maxDepth {
			w.left = 0
		}
		if w.left == 0 {
			w.doubt(c.ruleAt(i+1, r.text), undecided)
			return back
		}
		w.left--
		d := w.crossRule(c, i)
		switch d.kind {
		case accept, back:
			return d.kind
		case drop:
			w.by = c.ruleAt(i+1, r.text)
			return drop
		case translate:
			moved := w.redirected
			d.change(w)
			if w.redirected && !moved {
				w.movedBy = c.ruleAt(i+1, r.text)
			}
			w.translated = true
			return accept
		case jump, leap:
			k := w.crossChain(c.table.chains[d.chain], depth+1)
			if k != back || d.kind == leap {
				return k
			}
		case goOn, differs, unknown, change, undecided:
		}
	}
	return back
}

// crossRule is what a rule says about the packet. One with a step that is not understood says
// nothing, and is named if it would have decided or changed something.
func (w *walk) crossRule(c *chain, at int) decision {
	r := c.rules[at]
	doubtful := false
	for _, s := range r.steps {
		d := s(w)
		if (d.kind == jump || d.kind == leap) && c.table.chains[d.chain] == nil {
			d.kind = undecided
		}
		switch {
		case d.kind == goOn:
		case d.kind == differs:
			return decision{}
		case d.kind == unknown:
			doubtful = true
		case d.kind == change && !doubtful:
			d.change(w)
		case doubtful || d.kind == undecided:
			if d.kind == change {
				d.kind = undecided
			}
			w.doubt(c.ruleAt(at+1, r.text), d.kind)
			return decision{}
		default:
			return d
		}
	}
	return decision{}
}

// The numbers of the protocols that packets are asked about.
const (
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
)

func icmpProtocols() spans {
	return spans{smallSpan(protoICMP, protoICMP), smallSpan(protoICMP6, protoICMP6)}
}

// protoNumber is that of tcp, udp or icmp in a packet of the family; of others none.
func protoNumber(name string, v6 bool) (uint64, bool) {
	n, ok := protocolNumber(name)
	if n == protoICMP && v6 {
		return protoICMP6, ok
	}
	return n, ok
}

// Forward walks a packet through the hooks on its way.
func (r *Ruleset) Forward(p Packet) Verdict {
	p.Src, p.Dst = p.Src.Unmap(), p.Dst.Unmap()
	proto, ok := protoNumber(p.Proto, p.Dst.Is6())
	if !ok {
		proto = 255 // reserved: no rule names it
	}
	v := values{
		srcAddr: only(p.Src), dstAddr: only(p.Dst), protocol: only(small(proto)),
		sourcePort: only(small(uint64(p.SrcPort))), targetPort: only(small(uint64(p.DstPort))),
		icmpType: only(small(uint64(p.ICMPType))), icmpCode: only(small(uint64(p.ICMPCode))),
	}
	w := r.send(traveler{in: p.In, out: p.Out, v6: p.Dst.Is6(), state: p.State, mark: p.Mark, toHost: p.ToHost}, v)
	verdict := Verdict{
		Dropped: w.dropped, By: w.decidedBy(), Unsure: w.doubts(), Masqueraded: w.masked, RoutingMark: w.routedMark,
		Dst: w.address(dstAddr), DstPort: uint16(smallValue(w.values[targetPort][0].from)),
	}
	if !w.masked {
		verdict.Src = w.address(srcAddr)
	}
	return verdict
}

// sent is a walk that has ended.
type sent struct {
	*walk
	dropped bool
}

func (r *Ruleset) send(t traveler, v values) sent {
	if t.state == "" {
		t.state = "new"
	}
	w := &walk{traveler: t, values: v, origin: v, left: maxRules}
	return sent{w, !r.crossHooks(w)}
}

// address is that of the packet as it is now; of many, their first.
func (w *walk) address(f field) netip.Addr { return w.values[f][0].from }

// decidedBy is the rule that sent the packet to another destination, or else the one that dropped it.
func (s sent) decidedBy() Rule {
	if s.redirected {
		return s.movedBy
	}
	return s.by
}

// mayDrop are the rules that were not understood and may drop a packet that passes otherwise.
func (s sent) mayDrop() []Rule {
	var all []Rule
	for _, d := range s.unsure {
		if !s.dropped && d.kind != accept && d.kind != translate {
			all = append(all, d.Rule)
		}
	}
	return all
}

// doubts are the rules that were not understood and may have changed the outcome: another
// drop, or another accept, would not have.
func (s sent) doubts() []Rule {
	var all []Rule
	for _, d := range s.unsure {
		if d.kind == drop && s.dropped || d.kind == accept && !s.dropped {
			continue
		}
		all = append(all, d.Rule)
	}
	return all
}
