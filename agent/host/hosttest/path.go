package hosttest

import (
	"context"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/agent/host"
)

// fakeRoute is a route of a fake beside those of its bridges and the default route, which
// leaves by eth0 to Gateway.
type fakeRoute struct {
	dst     netip.Prefix
	device  string
	nextHop netip.Addr
}

// Gateway is the next hop of a fake's default route.
func Gateway() netip.Addr { return netip.MustParseAddr("192.168.15.253") }

// SetRoute makes a route as somebody else would, by hand; without a device it is taken away.
func (f *Fake) SetRoute(dst, device, nextHop string) {
	f.change(func() {
		r := fakeRoute{dst: netip.MustParsePrefix(dst), device: device}
		if nextHop != "" {
			r.nextHop = netip.MustParseAddr(nextHop)
		}
		f.routes = slices.DeleteFunc(f.routes, func(o fakeRoute) bool { return o.dst == r.dst })
		if device != "" {
			f.routes = append(f.routes, r)
		}
	})
}

// TakeDown sets a link down, or up again.
func (f *Fake) TakeDown(link string, down bool) {
	f.change(func() {
		if f.down == nil {
			f.down = map[string]bool{}
		}
		f.down[link] = down
	})
}

// Path is where the fake's routes lead.
func (f *Fake) Path(_ context.Context, q host.PathQuestion) (host.Path, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := host.Path{Gateways: []netip.Addr{Gateway()}}
	for _, name := range (host.Wish{Uplink: q.Uplink, Locals: q.Locals}).Links() {
		there := name == q.Uplink || slices.ContainsFunc(f.bridges, func(b host.Bridge) bool { return b.Name == name })
		on := f.forward && !f.off[name]
		p.Links = append(p.Links, host.Link{Name: name, There: there, Up: there && !f.down[name], Forwarding: on, Forwarding6: on, MTU: 1500})
	}
	for _, remote := range q.Remotes {
		p.Lookups = append(p.Lookups, f.lookUp("", remote))
		for _, l := range q.Locals {
			if l.Prefix.Addr().Is6() == remote.Addr().Is6() {
				p.Lookups = append(p.Lookups, f.lookUp(l.Bridge, remote))
			}
		}
	}
	for _, l := range q.Locals {
		if len(q.Remotes) > 0 && q.Uplink != "" {
			p.Lookups = append(p.Lookups, f.lookUp(q.Uplink, l.Prefix))
		}
	}
	for _, a := range q.Hosts {
		p.Lookups = append(p.Lookups, f.lookUp("", netip.PrefixFrom(a, a.BitLen())))
	}
	return p, nil
}

func (f *Fake) lookUp(in string, to netip.Prefix) host.Lookup {
	l := host.Lookup{In: in, To: []netip.Prefix{to}, Dst: to.Addr(), Fate: host.FateNoRoute}
	if to.Bits() < to.Addr().BitLen() {
		l.Dst = to.Addr().Next().Next()
	}
	take := func(dst netip.Prefix, device string, nextHop netip.Addr, owner string) {
		if dst.Contains(l.Dst) && (!l.Route.IsValid() || dst.Bits() >= l.Route.Bits()) {
			l.Fate, l.Device, l.NextHop, l.Route, l.Owner, l.Table = host.FateSent, device, nextHop, dst, owner, 254
		}
	}
	zero := netip.IPv4Unspecified()
	if to.Addr().Is6() {
		zero = netip.IPv6Unspecified()
	}
	for _, uplink := range f.uplinks {
		take(netip.PrefixFrom(zero, 0), uplink, Gateway(), "dhcp")
	}
	for _, b := range f.bridges {
		for _, p := range b.Prefixes() {
			take(p, b.Name, netip.Addr{}, "kernel")
		}
	}
	for _, r := range f.routes {
		take(r.dst, r.device, r.nextHop, "boot")
	}
	return l
}
