package route

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// questioner asks the kernel where packets go, with what else is known at hand.
type questioner struct {
	handle *netlink.Handle
	tables tables
	links  map[string]linkState
	names  map[int]string // of all links, by index
	marks  map[string]uint32
}

// lookUp asks for packets of one class. in is empty for those that the host sends.
func (q questioner) lookUp(in string, src netip.Addr, c class) host.Lookup {
	l := host.Lookup{In: in, Src: src, To: c.to, Part: c.part, Dst: c.dst}
	options := &netlink.RouteGetOptions{Mark: q.marks[in]}
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
	}
	return l
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
