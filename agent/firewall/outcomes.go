package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Flow are packets of one kind to ask about, all at once: from each address of From to each
// of To, of one family.
type Flow struct {
	In, Out  string
	From, To []netip.Prefix
	State    string   // new (also when empty) or established
	Protos   []string // tcp, udp, icmp; empty for all three
	Mark     uint32
	ToHost   bool // the addresses of To are the host's own: hook input is walked
}

// Outcome is what becomes of a part of a flow. All parts together are the flow; parts that
// fare alike are one.
type Outcome struct {
	From, To    []netip.Prefix // of the flow's: whole ones, or what a rule cuts out of one
	Protos      []string       // tcp, udp, icmp; empty: all that were asked about
	Ports       []Ports        // of the destination; empty: all
	SourcePorts []Ports        // empty: all
	Dropped     bool
	By          Rule   // what sent it to another destination, or else dropped it
	Unsure      []Rule // not understood, reached, and able to decide otherwise
	MayDrop     []Rule // those of them that may drop it; none if it is dropped anyway
	Masqueraded bool   // it leaves with an address of Out as its source
	Redirected  bool   // it is sent to another destination, whatever becomes of it there
	Mark        uint32 // that it carries when its route is looked up; told by RoutingMarks only
}

// Ports are those from one to another, both included.
type Ports struct{ From, To uint16 }

func (p Ports) String() string {
	if p.From == p.To {
		return fmt.Sprint(p.From)
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}

// Limits tells which protocols and ports an outcome is for: "tcp to port 8080"; empty if it is
// for all.
func (o Outcome) Limits() string {
	var parts []string
	if len(o.Protos) > 0 {
		parts = append(parts, strings.Join(o.Protos, ", "))
	}
	if len(o.SourcePorts) > 0 {
		parts = append(parts, "from port "+joinPorts(o.SourcePorts))
	}
	if len(o.Ports) > 0 {
		parts = append(parts, "to port "+joinPorts(o.Ports))
	}
	return strings.Join(parts, " ")
}

func joinPorts(all []Ports) string {
	var texts []string
	for _, p := range all {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ", ")
}

// Outcomes says what becomes of a flow, in the order of its parts. It follows the rules once
// for each set of packets that they tell apart, whether by address, protocol or port: the
// effort grows with the rules and prefixes there are, not with their product. An icmp packet
// is an echo request, or a reply in an established connection.
func (r *Ruleset) Outcomes(f Flow) []Outcome {
	return r.partsOf(f, false, func(s sent) Outcome {
		return Outcome{
			Dropped: s.dropped, By: s.decidedBy(), Unsure: s.doubts(), MayDrop: s.mayDrop(), Masqueraded: s.masked && !s.dropped, Redirected: s.redirected,
		}
	})
}

// RoutingMarks are the parts of a flow that carry a mark when their routes are looked up.
func (r *Ruleset) RoutingMarks(f Flow) []Outcome {
	if r.UsedMarks() == 0 {
		return nil
	}
	all := r.partsOf(f, true, func(s sent) Outcome { return Outcome{Mark: s.routedMark} })
	return slices.DeleteFunc(all, func(o Outcome) bool { return o.Mark == 0 })
}

// partsOf follows the packets of a flow, and makes one of those of which the same is told.
func (r *Ruleset) partsOf(f Flow, toRouting bool, tell func(sent) Outcome) []Outcome {
	if len(f.From) == 0 || len(f.To) == 0 {
		return nil
	}
	v6 := f.To[0].Addr().Is6()
	t := traveler{in: f.In, out: f.Out, v6: v6, state: f.State, mark: f.Mark, toHost: f.ToHost, toRouting: toRouting}
	whole := f.values(v6)
	var parts []part
	todo := []values{whole}
	for len(todo) > 0 && len(parts) < maxParts {
		s := r.send(t, todo[len(todo)-1])
		todo = append(todo[:len(todo)-1], s.others...)
		parts = append(parts, part{s.origin, tell(s)})
	}
	for _, v := range todo {
		parts = append(parts, part{v, Outcome{Unsure: []Rule{unasked()}, MayDrop: []Rule{unasked()}}})
	}
	var all []Outcome
	for _, p := range mergeParts(parts) {
		all = append(all, f.describe(p, whole))
	}
	return all
}

// maxParts bounds what rules made to tell everything apart may cost.
const maxParts = 1 << 13

// unasked stands for the rules that met what is beyond that.
func unasked() Rule { return Rule{Text: "the rules tell too many packets apart for all to be asked"} }

// part is a set of packets that fare alike.
type part struct {
	values
	outcome Outcome
}

// values are those of all packets of the flow.
func (f Flow) values(v6 bool) values {
	names := f.Protos
	if len(names) == 0 {
		names = []string{"tcp", "udp", "icmp"}
	}
	var protos []span
	for _, name := range names {
		if n, ok := protoNumber(name, v6); ok {
			protos = append(protos, smallSpan(n, n))
		}
	}
	const echoReply, echo, echo6, echo6Reply = 0, 8, 128, 129
	kind := map[bool]uint64{false: echo, true: echo6}[v6]
	if f.State == "established" {
		kind = map[bool]uint64{false: echoReply, true: echo6Reply}[v6]
	}
	return values{
		srcAddr: prefixSpans(f.From), dstAddr: prefixSpans(f.To), protocol: newSpans(protos),
		sourcePort: spans{smallSpan(1, 65535)}, targetPort: spans{smallSpan(1, 65535)},
		icmpType: only(small(kind)), icmpCode: only(small(0)),
	}
}

func prefixSpans(all []netip.Prefix) spans {
	list := make([]span, 0, len(all))
	for _, p := range all {
		list = append(list, prefixSpan(p))
	}
	return newSpans(list)
}

// mergeParts makes one of parts that fare alike and differ in one field only.
func mergeParts(parts []part) []part {
	for _, f := range []field{targetPort, sourcePort, protocol, dstAddr, srcAddr} {
		var merged []part
		at := map[string]int{}
		for _, p := range parts {
			key := p.key(f)
			i, known := at[key]
			if !known {
				at[key] = len(merged)
				merged = append(merged, p)
				continue
			}
			merged[i].values[f] = newSpans(append(slices.Clone(merged[i].values[f]), p.values[f]...))
		}
		parts = merged
	}
	return parts
}

// key is all of a part but one field.
func (p part) key(without field) string {
	v := p.values
	v[without] = nil
	o := p.outcome
	return fmt.Sprint(v, o.Dropped, o.By, o.Unsure, o.MayDrop, o.Masqueraded, o.Redirected, o.Mark)
}

// describe tells a part in the flow's own terms.
func (f Flow) describe(p part, whole values) Outcome {
	o := p.outcome
	o.From, o.To = cutPrefixes(f.From, p.values[srcAddr]), cutPrefixes(f.To, p.values[dstAddr])
	if !slices.Equal(p.values[protocol], whole[protocol]) {
		for _, s := range p.values[protocol] {
			for n := smallValue(s.from); n <= smallValue(s.to); n++ {
				o.Protos = append(o.Protos, map[uint64]string{protoTCP: "tcp", protoUDP: "udp", protoICMP: "icmp", protoICMP6: "icmp"}[n])
			}
		}
	}
	o.Ports, o.SourcePorts = portsOf(p.values[targetPort], whole[targetPort]), portsOf(p.values[sourcePort], whole[sourcePort])
	return o
}

// portsOf are ports unless they are all of them.
func portsOf(have, whole spans) []Ports {
	if slices.Equal(have, whole) {
		return nil
	}
	var all []Ports
	for _, s := range have {
		all = append(all, Ports{uint16(smallValue(s.from)), uint16(smallValue(s.to))})
	}
	return all
}

// cutPrefixes are the prefixes that are in a part, or what of them is.
func cutPrefixes(all []netip.Prefix, in spans) []netip.Prefix {
	var found []netip.Prefix
	for _, p := range all {
		one := prefixSpan(p)
		within := in.both(spans{one})
		if len(within) == 1 && within[0] == one {
			found = append(found, p)
			continue
		}
		for _, s := range within {
			found = append(found, s.prefixes()...)
		}
	}
	return found
}
