package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/cloud/alisim"
)

// firstTable is the number of the first kernel table; the others follow in the order of the
// simulator's tables, which never changes.
const firstTable = 1000

// routeKey is where a route stands: the kernel keeps one for each.
type routeKey struct {
	table       int
	destination netip.Prefix
}

// target is where a route leads.
type target struct {
	kind int        // unix.RTN_UNICAST, RTN_BLACKHOLE or RTN_THROW
	via  netip.Addr // of a unicast route
	link int        // index of the interface, of a unicast route
}

// rule sends what comes in by a link to a table of its family.
type rule struct {
	netlink  int // family
	priority int
	link     string
	table    int
}

// state is what our part of the kernel's routing should be, or is.
type state struct {
	routes map[routeKey]target
	rules  map[rule]bool
}

// wantedState says what the routing should be for a state of the simulator. links are the
// interfaces that are up, by name.
func wantedState(world alisim.Seed, ports []port, links map[string]int) state {
	w := wisher{
		state: state{map[routeKey]target{}, map[rule]bool{}}, links: links,
		world: world, families: routedFamilies(world), ports: map[string]port{}, numbers: map[string]int{},
	}
	for _, s := range ports {
		w.ports[s.ID] = s
	}
	for i, v := range world.VPCs {
		for _, t := range v.Tables {
			w.numbers[t.ID] = firstTable + len(w.numbers)
			w.addTable(v, t)
		}
		w.addRules(v, ports)
		if i == 0 && len(v.Tables) > 0 {
			// What the router says itself, that a packet was too big for one, has a way back too:
			// to an instance of any VPC by table main, and else to the containers of the first.
			w.addRule(afterMain, "lo", firstTable)
		}
	}
	return w.state
}

type wisher struct {
	state    state
	links    map[string]int
	world    alisim.Seed
	families []family
	ports    map[string]port // by interface
	numbers  map[string]int  // kernel table of a simulator's table
}

func (w *wisher) addTable(v alisim.VPC, t alisim.Table) {
	n := w.numbers[t.ID]
	// The last word, where no custom entry has it: table main knows the other VPCs too.
	for _, ip := range w.families {
		w.state.routes[routeKey{n, ip.prefixOf(nil)}] = target{kind: unix.RTN_BLACKHOLE}
	}
	for _, r := range t.Routes {
		inForce := r.State == alisim.Available || r.State == alisim.Modifying
		if inForce && (r.Destination.Addr().Is4() || v.IPv6.IsValid()) {
			w.state.routes[routeKey{n, r.Destination}] = w.targetOf(r)
		}
	}
	// A system entry wins over a shorter custom one, so it must be in the table too.
	system := []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10")}
	for _, s := range v.VSwitches {
		system = append(system, s.CIDR, s.IPv6)
	}
	for _, p := range system {
		if p.IsValid() {
			w.state.routes[routeKey{n, p}] = target{kind: unix.RTN_THROW}
		}
	}
}

// targetOf is the way to an entry's next hop, or the lack of one.
func (w *wisher) targetOf(r alisim.Route) target {
	_, hop, known := w.world.Hop(r.NextHop)
	at := w.ports[hop.ID]
	link, up := w.links[at.link]
	via := familyOf(r.Destination.Addr()).addressesOf(hop.Addresses())
	if !known || !up || !at.running || len(via) == 0 {
		return target{kind: unix.RTN_BLACKHOLE}
	}
	return target{unix.RTN_UNICAST, via[0], link}
}

func (w *wisher) addRules(v alisim.VPC, ports []port) {
	tables := map[string]string{}
	for _, s := range v.VSwitches {
		tables[s.ID] = s.Table
	}
	for _, s := range ports {
		if s.vpc == v.ID && s.link != "" {
			w.addRule(beforeMain, s.link, w.numbers[tables[s.VSwitch]])
		}
	}
}

// addRule sends a link to a table, for each family that any VPC has: without a rule it would be
// table main that decides.
func (w *wisher) addRule(priority int, link string, table int) {
	for _, ip := range w.families {
		w.state.rules[rule{ip.netlink, priority, link, table}] = true
	}
}
