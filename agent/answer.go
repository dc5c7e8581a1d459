package agent

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Answer is what becomes of packets from one place to another on this host. One direction and
// state of a connection each.
type Answer struct {
	From     netip.Prefix `json:"from"`
	To       netip.Prefix `json:"to"`
	Bridge   string       `json:"bridge"` // of the two, the one that is ours is on it
	State    string       `json:"state"`  // new: the first packet of a connection; established: a later one
	Dropped  bool         `json:"dropped"`
	By       string       `json:"by,omitempty"`       // the rule
	Limits   string       `json:"limits,omitempty"`   // the protocols and ports that are dropped; empty: all
	Lost     string       `json:"lost,omitempty"`     // by which route; empty if they find their way
	Unproven string       `json:"unproven,omitempty"` // why it is not known whether they pass
	Unsure   []string     `json:"unsure,omitempty"`   // rules that were not understood and may decide otherwise
}

// Fate is what becomes of the packets, in words.
func (a Answer) Fate() string {
	switch {
	case a.Lost != "" && a.Limits != "":
		return "of these, " + a.Limits + " is lost: " + a.Lost
	case a.Lost != "":
		return "lost: " + a.Lost
	case a.Dropped && a.Limits != "":
		return "of these, " + a.Limits + " is dropped by " + a.By
	case a.Dropped:
		return "dropped by " + a.By
	case a.Unproven != "" && a.Limits != "":
		return "of these, " + a.Limits + " is unproven: " + a.Unproven
	case a.Unproven != "":
		return "unproven: " + a.Unproven
	default:
		return "passes"
	}
}

func (a Answer) String() string {
	return fmt.Sprintf("%s -> %s (%s, %s): %s", a.From, a.To, a.Bridge, a.State, a.Fate())
}

// answersFor says of each peer what becomes of packets from and to it. rules may be nil if they
// could not be read.
func answersFor(rules *firewall.Ruleset, v *view, w host.Wish) []Answer {
	lost := lossesOf(v)
	w.Remotes = slices.Clone(w.Remotes)
	for _, p := range v.peers { // those that a network of ours takes are not in the wish
		if !slices.Contains(w.Remotes, p.prefix) && !overlapsAny(w.LocalPrefixes(), p.prefix) {
			w.Remotes = append(w.Remotes, p.prefix)
		}
	}
	slices.SortFunc(w.Remotes, api.ComparePrefixes)
	var all []Answer
	for _, l := range w.Locals {
		for _, f := range flowsOf(l, w, v.facts.Redirect) {
			all = append(all, flowAnswers(rules, f, l.Bridge, lost)...)
		}
	}
	return all
}

// losses say which packets routes and links lose, and how.
type losses struct {
	to    map[netip.Prefix][]loss
	links []deadLink
}

// loss is how a subnet's packets are lost; those of one peer only if from is one.
type loss struct {
	from netip.Prefix
	text string
}

func lossesOf(v *view) losses {
	all := losses{map[netip.Prefix][]loss{}, deadLinks(v)}
	for _, d := range v.lost {
		text, _ := describeDetour(d, v)
		from, _ := sourceOf(d, v)
		for _, p := range d.to {
			all.to[p] = append(all.to[p], loss{from, text})
		}
	}
	return all
}

// of is how packets of a flow are lost; empty if they are not.
func (l losses) of(f firewall.Flow, from, to netip.Prefix) string {
	for _, d := range l.links {
		if (d.name == f.In || d.down && d.name == f.Out) && (!d.only6 || from.Addr().Is6()) {
			return d.text
		}
	}
	for _, o := range l.to[to] {
		if !o.from.IsValid() || o.from == from {
			return o.text
		}
	}
	return ""
}

// flowAnswers parts a flow into pairs of subnets.
func flowAnswers(rules *firewall.Ruleset, f firewall.Flow, bridge string, lost losses) []Answer {
	var odd []firewall.Outcome
	if rules != nil {
		odd = slices.DeleteFunc(rules.Outcomes(f), func(o firewall.Outcome) bool {
			return !o.Dropped && !o.Redirected && len(o.MayDrop) == 0
		})
	}
	var all []Answer
	for _, from := range f.From {
		for _, to := range f.To {
			a := Answer{From: from, To: to, Bridge: bridge, State: f.State, Lost: lost.of(f, from, to)}
			n := len(all)
			for _, o := range odd {
				if overlapsAny(o.From, from) && overlapsAny(o.To, to) && a.Lost == "" {
					all = append(all, oddAnswer(a, o))
				}
			}
			if len(all) == n {
				all = append(all, a)
			}
		}
	}
	return all
}

// oddAnswer tells of packets that do not simply pass.
func oddAnswer(a Answer, o firewall.Outcome) Answer {
	a.Limits = o.Limits()
	switch {
	case o.Redirected:
		a.Lost = "sent to another address by " + o.By.String()
	case o.Dropped:
		a.Dropped, a.By = true, o.By.String()
	default:
		a.Unproven = o.MayDrop[0].String() + " is not understood, and may drop them"
	}
	for _, r := range o.Unsure {
		a.Unsure = append(a.Unsure, r.String())
	}
	return a
}

// askPacket asks about one packet. Which interfaces it comes in and goes out by follows from the
// subnets of the bridges; what is on none of them is behind the uplink. Of the ways that lead
// elsewhere those are known that lead to subnets of ours. rules may be nil if they could not be
// read.
func askPacket(rules *firewall.Ruleset, v *view, q Question) Answer {
	packet := packetOf(v.facts, q)
	bridge := packet.Out
	if bridge == v.facts.Uplink {
		bridge = packet.In
	}
	whole := func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
	a := Answer{From: whole(q.From), To: whole(q.To), Bridge: bridge, State: packet.State}
	for _, d := range v.lost {
		meant := d.part.IsValid() && d.part.Contains(q.To) || !d.part.IsValid() && covered(a.To, d.to)
		if meant && slices.Contains(d.from, packet.In) {
			a.Lost, _ = describeDetour(d, v)
			return a
		}
	}
	for _, l := range deadLinks(v) {
		if (l.name == packet.In || l.down && l.name == packet.Out) && (!l.only6 || q.To.Is6()) {
			a.Lost = l.text
			return a
		}
	}
	if rules == nil {
		return a
	}
	if v.facts.Redirect && packet.In == v.facts.Uplink && packet.Out != v.facts.Uplink {
		packet.In = packet.Out
	}
	verdict := rules.Forward(packet)
	for _, r := range verdict.Unsure {
		a.Unsure = append(a.Unsure, r.String())
	}
	switch {
	case verdict.Dst != q.To:
		a.Lost = fmt.Sprintf("sent to %s by %s", verdict.Dst, verdict.By)
	case verdict.Dropped:
		a.Dropped, a.By = true, verdict.By.String()
	case len(verdict.Unsure) > 0:
		a.Unproven = a.Unsure[0] + " is not understood, and may decide otherwise"
	}
	return a
}

// packetOf is the packet that is asked about, as it comes in.
func packetOf(f host.Facts, q Question) firewall.Packet {
	side := func(a netip.Addr) string {
		at := slices.IndexFunc(f.Bridges, func(b host.Bridge) bool {
			return slices.ContainsFunc(b.Prefixes(), func(p netip.Prefix) bool { return p.Contains(a) })
		})
		if at < 0 {
			return f.Uplink
		}
		return f.Bridges[at].Name
	}
	own := func(a netip.Addr) bool {
		return a == q.own || slices.ContainsFunc(f.Bridges, func(b host.Bridge) bool {
			return slices.ContainsFunc(b.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
		})
	}
	packet := firewall.Packet{In: side(q.From), Out: side(q.To), Src: q.From, Dst: q.To, Proto: q.Proto, DstPort: q.Port, State: "new"}
	packet.ToHost = own(q.To)
	if own(q.From) {
		packet.In = "" // the host sends it itself
	}
	switch q.Proto {
	case "icmp":
		const echo, echo6 = 8, 128
		packet.ICMPType = echo
		if q.To.Is6() {
			packet.ICMPType = echo6
		}
	default:
		packet.SrcPort = 40000
	}
	return packet
}
