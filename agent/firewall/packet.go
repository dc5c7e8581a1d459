package firewall

import "net/netip"

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
		srcAddr: only(addressNumber(p.Src)), dstAddr: only(addressNumber(p.Dst)), protocol: only(small(proto)),
		sourcePort: only(small(uint64(p.SrcPort))), targetPort: only(small(uint64(p.DstPort))),
		icmpType: only(small(uint64(p.ICMPType))), icmpCode: only(small(uint64(p.ICMPCode))),
	}
	w := r.send(traveler{in: p.In, out: p.Out, v6: p.Dst.Is6(), state: p.State, mark: p.Mark, toHost: p.ToHost}, v)
	verdict := Verdict{
		Dropped: w.dropped, By: w.by, Unsure: w.doubts(), Masqueraded: w.masked,
		Dst: w.address(dstAddr), DstPort: uint16(w.values[targetPort][0].from.lo),
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
func (w *walk) address(f field) netip.Addr { return w.values[f][0].from.address(w.v6) }

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
