package firewall

import "net/netip"

// The longest walk. The kernel refuses chains that jump in a circle and nests jumps 16 deep
// (NFT_JUMP_STACK_SIZE); a dump that goes beyond these was not one of a working firewall.
const (
	maxDepth = 64
	maxRules = 1 << 20
)

// walk is a packet on its way, as it is now.
type walk struct {
	Packet
	at         hook
	translated bool // this hook's kind of translation is settled
	untraced   bool // connection tracking has not seen it yet
	masked     bool
	redirected bool // the destination was translated
	by         Rule
	unsure     []doubt
	left       int
}

// doubt is a rule that was not understood, with what it would have said.
type doubt struct {
	Rule
	kind kind
}

// Forward walks a packet through the hooks. One with In goes through prerouting, then forward
// and postrouting, or input if it is addressed to the host and was not translated; one
// without goes through output and postrouting.
func (r *Ruleset) Forward(p Packet) Verdict {
	if p.State == "" {
		p.State = "new"
	}
	p.Src, p.Dst = p.Src.Unmap(), p.Dst.Unmap()
	w := &walk{Packet: p, left: maxRules}
	dropped := !r.pass(w)
	v := Verdict{Dropped: dropped, By: w.by, Src: w.Src, Masqueraded: w.masked, Dst: w.Dst, DstPort: w.DstPort}
	if w.masked {
		v.Src = netip.Addr{}
	}
	for _, d := range w.unsure {
		// Another drop, or another accept, would not have changed the outcome.
		if d.kind == drop && dropped || d.kind == accept && !dropped {
			continue
		}
		v.Unsure = append(v.Unsure, d.Rule)
	}
	return v
}

func (r *Ruleset) pass(w *walk) bool {
	if w.In == "" {
		return r.hook(w, output) && r.hook(w, postrouting)
	}
	if !r.hook(w, prerouting) {
		return false
	}
	if w.ToHost {
		return r.hook(w, input)
	}
	return r.hook(w, forward) && r.hook(w, postrouting)
}

// hook calls the base chains of one hook; false is a drop.
func (r *Ruleset) hook(w *walk, h hook) bool {
	w.at, w.translated = h, false
	for _, c := range r.bases {
		if c.hook != h || !c.table.sees(w.Dst) {
			continue
		}
		// Only the first packet of a connection is asked for its translation, and the first
		// chain to answer, be it by a mapping to itself, keeps later ones from being asked.
		if c.nat && (w.translated || !w.begins()) {
			continue
		}
		w.untraced = c.slot() < conntrack && (h == prerouting || h == output)
		if w.base(c) == drop {
			return false
		}
	}
	return true
}

// conntrack is the priority at which the kernel looks up a packet's connection, on arrival or
// when the host sends it (NF_IP_PRI_CONNTRACK). To chains before that every packet is invalid.
const conntrack = -200

// state is that of the packet's connection as a rule sees it here.
func (w *walk) state() string {
	if w.untraced && w.State != "untracked" {
		return "invalid"
	}
	return w.State
}

// begins says whether the packet is the first of a connection, expected or not; a related ICMP
// message is about another's.
func (p Packet) begins() bool {
	return p.State == "new" || p.State == "related" && p.Proto != "icmp"
}

func (t *table) sees(a netip.Addr) bool {
	return t.family == "inet" || (t.family == "ip") == a.Is4()
}

func (w *walk) base(c *chain) kind {
	k := w.chain(c, 0)
	if k != back {
		return k
	}
	if c.drop {
		w.by = c.place(0, "policy DROP")
		return drop
	}
	return accept
}

// chain returns accept, drop or, at the chain's end, back.
func (w *walk) chain(c *chain, depth int) kind {
	for _, r := range c.rules {
		if depth == maxDepth {
			w.left = 0
		}
		if w.left == 0 {
			w.unsure = append(w.unsure, doubt{r.Rule, unknown})
			return back
		}
		w.left--
		d := w.ask(c.table, r)
		switch d.kind {
		case next, unknown:
		case accept, back:
			return d.kind
		case drop:
			w.by = r.Rule
			return drop
		case translate:
			d.nat(w)
			w.translated = true
			return accept
		case jump, leap:
			k := w.chain(c.table.chains[d.chain], depth+1)
			if k != back || d.kind == leap {
				return k
			}
		}
	}
	return back
}

// ask is what a rule says about the packet, next if it does not match.
func (w *walk) ask(t *table, r *rule) decision {
	for _, m := range r.matches {
		if !m(w) {
			return decision{}
		}
	}
	if r.unknown && len(r.marks) > 0 {
		w.unsure = append(w.unsure, doubt{r.Rule, unknown})
		return decision{}
	}
	for _, set := range r.marks {
		w.Mark = set(w.Mark)
	}
	if r.decide == nil {
		return decision{}
	}
	d := r.decide(w)
	if (d.kind == jump || d.kind == leap) && t.chains[d.chain] == nil {
		d.kind = unknown
	}
	if d.kind == unknown || r.unknown && d.kind != next {
		w.unsure = append(w.unsure, doubt{r.Rule, d.kind})
		return decision{}
	}
	if d.kind == next && !d.missed && r.rest != nil {
		rest := *r.rest
		rest.Rule = r.Rule
		return w.ask(t, &rest)
	}
	return d
}
