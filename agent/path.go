package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// peersOf are the subnets that packets must be able to go to: those of the other hosts, also
// where something on this host is in the way of them.
func peersOf(c Config, snapshot *api.Snapshot) []peer {
	if snapshot == nil {
		return nil
	}
	var all []peer
	for _, h := range snapshot.Hosts {
		if !isPeer(h, c.Identity) {
			continue
		}
		for _, claim := range h.Claims {
			if pooled(claim.Prefix, snapshot.Config) && !claim.Prefix.Contains(c.Identity.IP) {
				all = append(all, peer{claim.Prefix, h.Label(), h.IP})
			}
		}
	}
	slices.SortFunc(all, func(a, b peer) int { return api.ComparePrefixes(a.prefix, b.prefix) })
	return all
}

// lookAtPath asks which way packets go, and finds the ways that lead elsewhere. own is the
// host's record in the registry; nil if there is none. rules may be nil: then nothing is taken to
// mark packets.
func (v *view) lookAtPath(ctx context.Context, traffic Traffic, rules *firewall.Ruleset, serve Serve, own *api.Host) {
	v.kept = slices.DeleteFunc(serve.kept(v.facts, own), func(s api.Subnet) bool {
		return !slices.ContainsFunc(own.Claims, func(c api.Claim) bool { return c.Prefix == s.Prefix })
	})
	if v.wish.Uplink == "" {
		return // which has a finding of its own
	}
	served := prefixesOf(subnetsOf(serve.bridges(v.facts, own)))
	others := slices.DeleteFunc(slices.Clone(v.peers), func(p peer) bool { return overlapsAny(served, p.prefix) }) // ours is refused, which has a finding of its own
	question := pathQuestion(v.wish, others)
	question.Marks = routingMarks(rules, question)
	path, err := traffic.Path(ctx, question)
	if err != nil {
		v.unproven = append(v.unproven, fmt.Errorf("read the host's routes: %w", err))
		return
	}
	v.path = path
	lost, unknown := detours(v)
	v.lost = lost
	for _, d := range unknown {
		v.unproven = append(v.unproven, fmt.Errorf("packets for %s%s: %w", namePrefixes(d.to, v.peers), comingFrom(d.from), d.lookup.Cause))
	}
}

// pathQuestion is what is asked of the host's routes for a wish.
func pathQuestion(w host.Wish, peers []peer) host.PathQuestion {
	q := host.PathQuestion{Uplink: w.Uplink, Locals: w.Locals}
	for _, p := range peers {
		q.Remotes = append(q.Remotes, p.prefix)
	}
	return q
}

// routingMarks are the marks that the host's rules give packets before their route is looked up,
// which rules of routing may go by.
func routingMarks(rules *firewall.Ruleset, q host.PathQuestion) []host.Marking {
	if rules == nil {
		return nil
	}
	var all []host.Marking
	for _, l := range q.Locals {
		local := []netip.Prefix{l.Prefix}
		remotes := slices.DeleteFunc(slices.Clone(q.Remotes), func(p netip.Prefix) bool { return p.Addr().Is4() != l.Prefix.Addr().Is4() })
		for _, f := range []firewall.Flow{{In: l.Bridge, Out: q.Uplink, From: local, To: remotes}, {In: q.Uplink, Out: l.Bridge, From: remotes, To: local}} {
			for _, o := range rules.RoutingMarks(f) {
				m := host.Marking{In: f.In, From: o.From, To: o.To, Mark: o.Mark}
				if slices.Equal(m.From, remotes) {
					m.From = nil
				}
				if slices.Equal(m.To, remotes) {
					m.To = nil
				}
				if !mostPackets(o) {
					m.Limits = o.Limits()
				}
				all = append(all, m)
			}
		}
	}
	return all
}

// deadLink is an interface that lets nothing through.
type deadLink struct {
	code      api.Code
	name      string
	down      bool // neither in nor out; else what comes in by it
	only6     bool // of IPv6 only
	text, fix string
}

// deadLinks are the interfaces that are down, by which nothing is forwarded although the host
// forwards, or that lead to other containers than Docker has on them.
func deadLinks(v *view) []deadLink {
	var all []deadLink
	for _, l := range v.path.Links {
		code := api.FindingLocalAstray
		if l.Name == v.wish.Uplink {
			code = api.FindingPeerAstray
		}
		setting := ""
		switch {
		case !l.There:
			continue // which has a finding of its own
		case !l.Up:
			all = append(all, deadLink{code, l.Name, true, false, l.Name + " is down", fmt.Sprintf("ip link set %s up", l.Name)})
		case v.facts.Forwarding && !l.Forwarding:
			setting = fmt.Sprintf("net.ipv4.conf.%s.forwarding", l.Name)
		case v.facts.Forwarding && v.wish.WantsIPv6() && !l.Forwarding6:
			setting = fmt.Sprintf("net.ipv6.conf.%s.forwarding", l.Name)
		}
		if setting != "" {
			all = append(all, deadLink{api.FindingForwardingOff, l.Name, false, strings.HasPrefix(setting, "net.ipv6"), setting + " is off: what comes in by " + l.Name + " is not forwarded", "sysctl " + setting + "=1"})
		}
	}
	return append(all, strangeBridges(v)...)
}

// strangeBridges are those with an address of another subnet than Docker gives their containers.
func strangeBridges(v *view) []deadLink {
	var all []deadLink
	for _, b := range v.facts.Bridges {
		served := slices.ContainsFunc(v.wish.Locals, func(l host.Local) bool { return l.Bridge == b.Name })
		if b.Network == nil || !served {
			continue
		}
		is6 := func(p netip.Prefix) bool { return p.Addr().Is6() }
		given, have := slices.DeleteFunc(slices.Clone(b.Network.Subnets), is6), slices.DeleteFunc(b.Prefixes(), is6)
		if len(given) == 0 || len(have) == 0 || slices.ContainsFunc(given, func(p netip.Prefix) bool { return overlapsAny(have, p) }) {
			continue
		}
		text := fmt.Sprintf("the containers of network %s have addresses of %s, and %s has one of %s", b.Network.Name, given[0], b.Name, have[0])
		all = append(all, deadLink{api.FindingLocalAstray, b.Name, true, false, text, "restart Docker, and see what changes the address of " + b.Name})
	}
	return all
}

// namePrefixes names subnets with their owners, the first few of many.
func namePrefixes(all []netip.Prefix, peers []peer) string {
	const few = 4
	var texts []string
	for _, p := range all[:min(few, len(all))] {
		text := p.String()
		if at := slices.IndexFunc(peers, func(o peer) bool { return o.prefix == p }); at >= 0 && peers[at].owner != "" {
			text += " of host " + peers[at].owner
		}
		texts = append(texts, text)
	}
	if more := len(all) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("%d more subnets", more))
	}
	return strings.Join(texts, ", ")
}
