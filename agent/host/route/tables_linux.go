package route

import (
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// tables are the routes of all tables and the rules that choose among these, of both families.
type tables struct {
	routes  map[netip.Prefix][]known // by destination
	sources []netip.Prefix           // that rules tell packets by
	untried []netlink.Rule           // that tell packets by what is not asked about: a protocol, a port
	to      prefixes                 // destinations of routes and rules, but for the host's own addresses
	all     prefixes                 // with these
}

// known is what is told of a route of the kernel's.
type known struct {
	dst      netip.Prefix
	table    int
	kind     int // RTN_*
	protocol netlink.RouteProtocol
	hops     []hop
}

type hop struct {
	link int
	via  netip.Addr
}

// readTables lists routes and rules. A kernel without IPv6 has none of that family.
func readTables(h *netlink.Handle, marks []host.Marking) (tables, error) {
	t := tables{routes: map[netip.Prefix][]known{}}
	var to, own []netip.Prefix
	for six, family := range map[bool]int{false: netlink.FAMILY_V4, true: netlink.FAMILY_V6} {
		routes, err := h.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		if err != nil && !six {
			return t, kernel.Wrap("list routes", err)
		}
		for i := range routes {
			r := knownOf(&routes[i], six)
			t.routes[r.dst] = append(t.routes[r.dst], r)
			switch r.kind {
			case unix.RTN_BROADCAST, unix.RTN_MULTICAST, unix.RTN_ANYCAST:
			case unix.RTN_LOCAL:
				own = append(own, r.dst)
			default:
				to = append(to, r.dst)
			}
		}
		rules, err := h.RuleList(family)
		if err != nil && !six {
			return t, kernel.Wrap("list the rules of routing", err)
		}
		to = append(to, t.noteRules(rules, six)...)
	}
	for _, m := range marks { // what carries a mark is asked about by itself
		to, t.sources = append(to, m.To...), append(t.sources, m.From...)
	}
	t.to, t.all = newPrefixes(to), newPrefixes(append(own, to...))
	return t, nil
}

// noteRules takes down the sources that rules tell packets by, and returns their destinations.
func (t *tables) noteRules(rules []netlink.Rule, six bool) []netip.Prefix {
	var to []netip.Prefix
	for _, r := range rules {
		if p, ok := prefixOf(r.Dst, six); ok {
			to = append(to, p)
		}
		if (r.IPProto > 0 || r.Dport != nil || r.Sport != nil || r.Tos > 0) && r.Table != unix.RT_TABLE_MAIN {
			t.untried = append(t.untried, r)
		}
		if p, ok := prefixOf(r.Src, six); ok {
			t.sources = append(t.sources, p)
		}
	}
	return to
}

func knownOf(r *netlink.Route, six bool) known {
	k := known{table: r.Table, kind: r.Type, protocol: r.Protocol}
	dst, ok := prefixOf(r.Dst, six)
	if !ok {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if six {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	k.dst = dst
	for _, m := range r.MultiPath {
		k.hops = append(k.hops, hop{m.LinkIndex, addrOf(m.Gw)})
	}
	if len(k.hops) == 0 {
		k.hops = []hop{{r.LinkIndex, addrOf(r.Gw)}}
	}
	return k
}

// behind is the route that an answer of the kernel's came from; link 0 is any.
func (t tables) behind(dst netip.Addr, table, link int) (known, bool) {
	for _, k := range t.around(dst) {
		if k.table == table && (link == 0 || slices.ContainsFunc(k.hops, func(h hop) bool { return h.link == link })) {
			return k, true
		}
	}
	return known{}, false
}

// blackholed reports whether a route that says blackhole lies around an address.
func (t tables) blackholed(dst netip.Addr) bool {
	return slices.ContainsFunc(t.around(dst), func(k known) bool { return k.kind == unix.RTN_BLACKHOLE })
}

// around are the routes to an address, of all tables, the narrowest first.
func (t tables) around(dst netip.Addr) []known {
	var all []known
	for _, bits := range t.all.bits[dst.Is6()] {
		if p, err := dst.Prefix(bits); err == nil {
			all = append(all, t.routes[p]...)
		}
	}
	return all
}

// gateways are the next hops of the default routes that leave by a link.
func (t tables) gateways(link int) []netip.Addr {
	var all []netip.Addr
	for _, zero := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		for _, k := range t.routes[netip.PrefixFrom(zero, 0)] {
			for _, h := range k.hops {
				if h.link == link && h.via.IsValid() && !slices.Contains(all, h.via) {
					all = append(all, h.via)
				}
			}
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

func prefixOf(n *net.IPNet, six bool) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a := addrOf(n.IP)
	bits, _ := n.Mask.Size()
	if !a.IsValid() || a.Is6() != six {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, bits).Masked(), true
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
