package agent

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// detours finds the ways that lead elsewhere. Those that fare alike are one.
func detours(v *view) (lost, unknown []detour) {
	owners := map[netip.Prefix][]netip.Addr{}
	for _, p := range v.peers {
		owners[p.prefix] = append(owners[p.prefix], p.ip)
	}
	whole := map[netip.Prefix]bool{} // subnets that are lost altogether: their parts say no more
	for _, l := range v.path.Lookups {
		d := detour{part: l.Part, from: []string{l.In}, lookup: l}
		if l.In == v.wish.Uplink && l.In != "" {
			d.code, d.to = api.FindingLocalAstray, slices.DeleteFunc(slices.Clone(l.To), func(p netip.Prefix) bool { return leadsToBridge(l, p, v) })
		} else {
			d.code, d.to = api.FindingPeerAstray, slices.DeleteFunc(slices.Clone(l.To), func(p netip.Prefix) bool { return leavesByUplink(l, v, owners[p]) })
		}
		if l.Part.IsValid() {
			d.to = slices.DeleteFunc(d.to, func(p netip.Prefix) bool { return whole[p] })
		} else if l.Fate != host.FateUnknown {
			for _, p := range d.to {
				whole[p] = true
			}
		}
		switch {
		case len(d.to) == 0 || !passable(v.path.Links, l.In, l.Dst):
		case l.Fate == host.FateUnknown:
			unknown = joinDetour(unknown, d)
		default:
			lost = joinDetour(lost, d)
		}
	}
	return lost, unknown
}

// passable reports whether the interface that a packet comes in by lets it in at all; if not,
// that is told of the interface.
func passable(links []host.Link, in string, dst netip.Addr) bool {
	at := slices.IndexFunc(links, func(l host.Link) bool { return l.Name == in })
	if at < 0 {
		return true
	}
	on := links[at].Forwarding
	if dst.Is6() {
		on = links[at].Forwarding6
	}
	return links[at].There && links[at].Up && on
}

// leadsToBridge reports whether a packet for a subnet of ours goes to its bridge. That it does
// not while the bridge is down is told of the bridge.
func leadsToBridge(l host.Lookup, p netip.Prefix, v *view) bool {
	bridge := bridgeOf(p, v.wish.Locals)
	down := slices.ContainsFunc(v.path.Links, func(o host.Link) bool { return o.Name == bridge && o.There && !o.Up })
	return down || l.Fate == host.FateSent && l.Device == bridge
}

// bridgeOf is the bridge that a subnet of ours is on; empty if it is none of ours.
func bridgeOf(p netip.Prefix, locals []host.Local) string {
	at := slices.IndexFunc(locals, func(l host.Local) bool { return l.Prefix == p })
	if at < 0 {
		return ""
	}
	return locals[at].Bridge
}

// leavesByUplink reports whether a packet goes to the VPC: by the uplink, and to the router
// that the default route leads to, where there is one. A route to the very host that holds the
// subnet is as good.
func leavesByUplink(l host.Lookup, v *view, owners []netip.Addr) bool {
	if l.Fate != host.FateSent || l.Device != v.wish.Uplink {
		return false
	}
	routers := slices.DeleteFunc(slices.Clone(v.path.Gateways), func(a netip.Addr) bool { return a.Is6() != l.Dst.Is6() })
	return len(routers) == 0 || slices.Contains(routers, l.NextHop) || l.NextHop.IsValid() && slices.Contains(owners, l.NextHop)
}

// joinDetour adds a detour, or its packets to one that leads the same way.
func joinDetour(all []detour, d detour) []detour {
	for i, o := range all {
		if !alike(o, d) {
			continue
		}
		if !slices.Equal(o.to, d.to) {
			all[i].to = append(all[i].to, d.to...)
			slices.SortFunc(all[i].to, api.ComparePrefixes)
			all[i].to = slices.Compact(all[i].to)
		}
		if !slices.Contains(o.from, d.from[0]) {
			all[i].from = append(all[i].from, d.from[0])
		}
		all[i].more = o.more || o.lookup.Route != d.lookup.Route
		return all
	}
	return append(all, d)
}

func alike(a, b detour) bool {
	x, y := a.lookup, b.lookup
	cause := func(l host.Lookup) string {
		if l.Cause == nil {
			return ""
		}
		return l.Cause.Error()
	}
	return a.code == b.code && a.part.IsValid() == b.part.IsValid() && x.Fate == y.Fate && x.Device == y.Device &&
		x.NextHop == y.NextHop && x.Table == y.Table && cause(x) == cause(y)
}

// describeDetour is a detour in words, and what to do about it.
func describeDetour(d detour, v *view) (text, fix string) {
	l := d.lookup
	what := namePrefixes(d.to, v.peers)
	if from, some := sourceOf(d, v); some {
		what += " from " + namePrefixes([]netip.Prefix{from}, v.peers)
	}
	if d.part.IsValid() {
		what = d.part.String() + ", a part of " + what + ","
	}
	if network := networkOn(v.facts, l.Device); d.code == api.FindingPeerAstray && network != "" && l.Fate == host.FateSent {
		return fmt.Sprintf("packets for %s stay on this host: network %s takes %s (bridge %s)", what, network, l.Route, l.Device),
			fmt.Sprintf("docker network rm %s, and make it anew with a subnet outside the cluster's pools", network)
	}
	text = fmt.Sprintf("packets for %s%s ", what, comingFrom(d.from))
	switch l.Fate {
	case host.FateSent:
		text += "leave by " + cmp.Or(l.Device, "no interface known")
		if l.NextHop.IsValid() {
			text += " to " + l.NextHop.String()
		}
		text += fmt.Sprintf(", not by %s", expected(d, v))
	case host.FateLocal:
		text += "are taken by this host itself"
	case host.FateMartian:
		return text + fmt.Sprintf("are dropped by the reverse path filter of %s", l.In), fmt.Sprintf("sysctl net.ipv4.conf.%s.rp_filter=2", l.In)
	case host.FateNoRoute:
		return text + "have no route", fmt.Sprintf("give the host a route that leads there by %s", expected(d, v))
	default:
		text += fmt.Sprintf("are dropped: the route is %s", l.Fate)
	}
	if !l.Route.IsValid() {
		return text, "ip rule; ip route show table all"
	}
	text += fmt.Sprintf(": route %s in table %s", l.Route, tableName(l.Table))
	if l.Owner != "" {
		text += ", made by " + l.Owner
	}
	if d.more {
		text += "; others lead the same way"
	}
	if bridge := bridgeOf(d.to[0], v.wish.Locals); bridge != "" && l.Route.Bits() == 0 {
		return text, fmt.Sprintf("ip route add %s dev %s, and see what took that route away", d.to[0], bridge)
	}
	return text, removal(l)
}

// sourceOf is the peer whose packets alone a detour is about: those of others come in by the same
// interface for the same address and fare otherwise.
func sourceOf(d detour, v *view) (netip.Prefix, bool) {
	l := d.lookup
	others := slices.ContainsFunc(v.path.Lookups, func(o host.Lookup) bool {
		return o.In == l.In && o.Dst == l.Dst && o.Src != l.Src && (o.Fate != l.Fate || o.Device != l.Device)
	})
	at := slices.IndexFunc(v.peers, func(p peer) bool { return l.Src.IsValid() && p.prefix.Contains(l.Src) })
	if !others || at < 0 {
		return netip.Prefix{}, false
	}
	return v.peers[at].prefix, true
}

// removal is the command that takes the route away, or shows where it comes from.
func removal(l host.Lookup) string {
	if l.Owner == "kernel" || l.Route.Bits() == 0 {
		return fmt.Sprintf("ip route show table %s; take the address or the rule away that leads there", tableName(l.Table))
	}
	return fmt.Sprintf("ip route del %s table %s, and see what makes it", l.Route, tableName(l.Table))
}

// expected is what packets should leave by.
func expected(d detour, v *view) string {
	if d.code == api.FindingPeerAstray {
		routers := slices.DeleteFunc(slices.Clone(v.path.Gateways), func(a netip.Addr) bool { return a.Is6() != d.lookup.Dst.Is6() })
		if d.lookup.Device == v.wish.Uplink && len(routers) > 0 {
			return fmt.Sprintf("%s to %s", v.wish.Uplink, routers[0])
		}
		return v.wish.Uplink
	}
	return cmp.Or(bridgeOf(d.to[0], v.wish.Locals), "its bridge")
}

// comingFrom tells where packets come from that are lost, if not all of them are.
func comingFrom(links []string) string {
	if slices.Contains(links, "") && len(links) > 1 {
		return ""
	}
	if slices.Contains(links, "") {
		return " that the host itself sends"
	}
	return " that come in by " + strings.Join(links, ", ")
}

// networkOn is Docker's name for the network on a bridge.
func networkOn(f host.Facts, bridge string) string {
	if b, ok := named(f.Bridges, bridge); ok && b.Network != nil {
		return b.Network.Name
	}
	return ""
}

// tableName is what ip calls a table.
func tableName(number int) string {
	switch number {
	case 253:
		return "default"
	case 254:
		return "main"
	case 255:
		return "local"
	default:
		return strconv.Itoa(number)
	}
}
