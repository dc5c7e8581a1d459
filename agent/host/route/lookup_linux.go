package route

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// questioner asks the kernel where packets go, with what else is known at hand.
type questioner struct {
	handle   *netlink.Handle
	tables   tables
	links    map[string]linkState
	names    map[int]string // of all links, by index
	question host.PathQuestion
	gateways []netip.Addr
}

// lookUp asks for packets of one class. in is empty for those that the host sends.
func (q questioner) lookUp(in string, src netip.Addr, c class) host.Lookup {
	return q.lookUpMarked(in, src, c, q.routingMark(in, src, c.dst))
}

func (q questioner) lookUpMarked(in string, src netip.Addr, c class, mark uint32) host.Lookup {
	l := host.Lookup{In: in, Src: src, To: c.to, Part: c.part, Dst: c.dst}
	options := &netlink.RouteGetOptions{Mark: mark}
	if in != "" {
		state := q.links[in]
		switch {
		case !state.There || !state.Up:
			return undecided(l, fmt.Errorf("interface %s is not there or down", in))
		case !forwards(state.Link, c.dst):
			return undecided(l, fmt.Errorf("forwarding of %s is off", in))
		}
		options.IifIndex = state.index
	}
	if src.IsValid() {
		options.SrcAddr = src.AsSlice()
	}
	routes, err := q.handle.RouteGetWithOptions(c.dst.AsSlice(), options)
	if err != nil {
		return q.refused(l, err)
	}
	if len(routes) == 0 {
		return undecided(l, errors.New("the kernel gave no answer"))
	}
	return q.answered(l, &routes[0])
}

// routingMark is the mark that packets carry, of those that all of their kind do.
func (q questioner) routingMark(in string, src, dst netip.Addr) uint32 {
	within := func(all []netip.Prefix, a netip.Addr) bool {
		return len(all) == 0 || slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	at := slices.IndexFunc(q.question.Marks, func(m host.Marking) bool {
		return m.Limits == "" && m.In == in && within(m.From, src) && within(m.To, dst)
	})
	if at < 0 {
		return 0
	}
	return q.question.Marks[at].Mark
}

func (q questioner) answered(l host.Lookup, r *netlink.Route) host.Lookup {
	l.Table, l.Device, l.NextHop = r.Table, q.names[r.LinkIndex], addrOf(r.Gw)
	switch r.Type {
	case unix.RTN_UNICAST:
		l.Fate = host.FateSent
	case unix.RTN_LOCAL:
		l.Fate, l.Device = host.FateLocal, ""
	case unix.RTN_UNREACHABLE:
		l.Fate = host.FateUnreachable
	case unix.RTN_PROHIBIT:
		l.Fate = host.FateProhibited
	case unix.RTN_BLACKHOLE:
		l.Fate = host.FateBlackhole
	default:
		return undecided(l, fmt.Errorf("the kernel answered with a route of type %d", r.Type))
	}
	link := r.LinkIndex
	if l.Fate != host.FateSent {
		link = 0
	}
	if k, ok := q.tables.behind(l.Dst, r.Table, link); ok {
		l.Route, l.Owner = k.dst, k.protocol.String()
		if at := slices.IndexFunc(k.hops, q.strays); at >= 0 && len(k.hops) > 1 && l.In != q.question.Uplink {
			l.Device, l.NextHop = q.names[k.hops[at].link], k.hops[at].via // the kernel takes each for some packets
		}
	}
	return l
}

// strays reports whether a next hop is none of those that the uplink's default routes have.
func (q questioner) strays(h hop) bool {
	return h.link != q.links[q.question.Uplink].index || !slices.Contains(q.gateways, h.via)
}

// refused tells what an error means. The kernel has few of them: for a packet that comes in by
// an interface, EXDEV is the reverse path filter, and so is EINVAL with newer kernels, unless it
// is a blackhole.
func (q questioner) refused(l host.Lookup, err error) host.Lookup {
	switch {
	case errors.Is(err, unix.ENETUNREACH):
		l.Fate = host.FateNoRoute
	case errors.Is(err, unix.EHOSTUNREACH):
		l.Fate = host.FateUnreachable
	case errors.Is(err, unix.EACCES):
		l.Fate = host.FateProhibited
	case errors.Is(err, unix.EXDEV):
		l.Fate = host.FateMartian
	case errors.Is(err, unix.EINVAL) && q.tables.blackholed(l.Dst):
		l.Fate = host.FateBlackhole
	case errors.Is(err, unix.EINVAL) && q.filtered(l):
		l.Fate = host.FateMartian
	case errors.Is(err, unix.EINVAL) && hasDarkRule(l.Dst.Is6()):
		l.Fate = host.FateBlackhole
	default:
		return undecided(l, kernel.Wrap(fmt.Sprintf("ask the kernel for the route to %s", l.Dst), err))
	}
	for _, k := range q.tables.around(l.Dst) {
		if fateOf(k.kind) == l.Fate {
			l.Route, l.Table, l.Owner = k.dst, k.table, k.protocol.String()
			break
		}
	}
	return l
}

// hasDarkRule reports whether a rule says blackhole. The library does not tell what rules say.
func hasDarkRule(six bool) bool {
	family := netlink.FAMILY_V4
	if six {
		family = netlink.FAMILY_V6
	}
	request := nl.NewNetlinkRequest(unix.RTM_GETRULE, unix.NLM_F_DUMP|unix.NLM_F_REQUEST)
	request.AddData(nl.NewIfInfomsg(family))
	rules, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWRULE)
	return err == nil && slices.ContainsFunc(rules, func(rule []byte) bool {
		const action = 7 // in struct fib_rule_hdr; the numbers are those of routes
		return len(rule) > action && rule[action] == unix.RTN_BLACKHOLE
	})
}

// filtered reports whether the reverse path filter of the interface that a packet comes in by
// drops it: the way back to its source leaves by another one, or there is none.
func (q questioner) filtered(l host.Lookup) bool {
	in := q.links[l.In]
	if in.ReversePath == 0 || !l.Src.IsValid() || l.Src.Is6() {
		return false
	}
	back, err := q.handle.RouteGet(l.Src.AsSlice())
	return err != nil || len(back) == 0 || in.ReversePath == 1 && back[0].LinkIndex != in.index
}

// fateOf is what a route of that type says.
func fateOf(kind int) host.Fate {
	switch kind {
	case unix.RTN_UNREACHABLE:
		return host.FateUnreachable
	case unix.RTN_PROHIBIT:
		return host.FateProhibited
	case unix.RTN_BLACKHOLE:
		return host.FateBlackhole
	default:
		return host.FateUnknown
	}
}

func undecided(l host.Lookup, err error) host.Lookup {
	l.Fate, l.Cause = host.FateUnknown, err
	return l
}

func forwards(l host.Link, dst netip.Addr) bool {
	if dst.Is6() {
		return l.Forwarding6
	}
	return l.Forwarding
}
