package seed

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Packet is the first of a connection. The cloud's groups remember connections: what
// belongs to one that was let pass passes too, also the other way.
type Packet struct {
	Source, Destination netip.Addr
	Protocol            string // TCP, UDP, ICMP, ICMPV6, GRE; any letter case
	Port                uint16 // of the destination, with TCP and UDP
}

// Verdict is one line of what decides about an interface's packets: the first that matches
// does.
type Verdict struct {
	Peers       []netip.Prefix // the sources of ingress, the destinations of egress; all when nil
	Protocol    string         // ALL, TCP, UDP, ICMP, ICMPV6, GRE
	First, Last uint16         // destination ports, 0 to 65535 for every one
	Accept      bool
}

// matches reports whether the verdict is about such a packet.
func (v Verdict) matches(peer netip.Addr, p Packet) bool {
	if v.Protocol != "ALL" && !strings.EqualFold(v.Protocol, p.Protocol) {
		return false
	}
	if p.Port < v.First || p.Port > v.Last {
		return false
	}
	return v.Peers == nil || slices.ContainsFunc(v.Peers, func(n netip.Prefix) bool { return n.Contains(peer.Unmap()) })
}

// Admits reports whether the security groups of an interface, named by its id, let the
// first packet of a connection pass. An interface in no group, or none at all, has nothing
// that would keep it.
func (s Seed) Admits(eni string, d Direction, p Packet) bool {
	peer := p.Source
	if d == Egress {
		peer = p.Destination
	}
	for _, v := range s.Verdicts(eni, d) {
		if v.matches(peer, p) {
			return v.Accept
		}
	}
	return true
}

// Verdicts is what the security groups of an interface, named by its id, come to: rules of
// all its groups by priority, drop before accept in one priority, then what the members of a
// normal group may among themselves, then the last word. It is empty when the interface is in
// no group.
func (s Seed) Verdicts(eni string, d Direction) []Verdict {
	groups := s.groupsOf(eni)
	if len(groups) == 0 {
		return nil
	}
	var rules []Rule
	for _, g := range groups {
		rules = append(rules, g.RulesOf(d)...)
	}
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), -cmp.Compare(a.Policy, b.Policy)) // Drop comes after Accept in the alphabet
	})
	var out []Verdict
	for _, r := range rules {
		out = append(out, s.ruleVerdict(r))
	}
	last := false // enterprise groups let nothing pass by themselves
	for _, g := range groups {
		if g.Type != EnterpriseGroup && g.InnerAccess != "Drop" && d == Ingress {
			out = append(out, Verdict{s.members(g.ID), "ALL", 0, 65535, true})
		}
		last = last || g.Type != EnterpriseGroup && d == Egress
	}
	return append(out, Verdict{nil, "ALL", 0, 65535, last})
}

func (s Seed) ruleVerdict(r Rule) Verdict {
	first, last := r.portSpan()
	v := Verdict{Protocol: r.Protocol, First: first, Last: last, Accept: r.Policy != "Drop"}
	switch {
	case r.Group != "":
		v.Peers = s.members(r.Group)
	case r.Destination.IsValid():
		v.Peers = []netip.Prefix{r.Destination}
	default:
		v.Peers = []netip.Prefix{r.Source}
	}
	return v
}

// groupsOf are the security groups of an interface.
func (s Seed) groupsOf(eni string) []SecurityGroup {
	var out []SecurityGroup
	i, f, ok := s.Hop(eni)
	if !ok || f.ID != eni {
		return nil
	}
	for _, v := range s.VPCs {
		for _, g := range v.SecurityGroups {
			if v.ID == i.VPC && slices.Contains(f.SecurityGroups, g.ID) {
				out = append(out, g)
			}
		}
	}
	return out
}

// members are the addresses of a group's interfaces: never nil, which would be everybody.
// A container's address belongs to no interface and so to no group.
func (s Seed) members(group string) []netip.Prefix {
	out := []netip.Prefix{}
	for _, i := range s.Instances {
		for _, f := range i.Attached() {
			if !slices.Contains(f.SecurityGroups, group) {
				continue
			}
			for _, a := range f.Addresses() {
				out = append(out, netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	return out
}
