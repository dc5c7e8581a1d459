package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/cloud/alisim"
)

// firstTable is the number of the first kernel table; the others follow in the order of the
// simulator's tables, which never changes.
const firstTable = 1000

// place is where a route stands: the kernel keeps one for each.
type place struct {
	table       int
	destination netip.Prefix
}

// target is where a route leads.
type target struct {
	kind int        // unix.RTN_UNICAST, RTN_BLACKHOLE or RTN_THROW
	via  netip.Addr // of a unicast route
	link int        // index of the interface, of a unicast route
}

// rule sends what comes in by a link to a table.
type rule struct {
	link  string
	table int
}

// state is what our part of the kernel should be, or is.
type state struct {
	routes map[place]target
	rules  map[rule]bool
}

// wish says what the kernel should be for a state of the simulator. links are the
// interfaces that are up, by name.
func wish(world alisim.Seed, ports map[string]Port, links map[string]int) state {
	w := wisher{
		state: state{map[place]target{}, map[rule]bool{}}, ports: ports, links: links,
		hops: map[string]alisim.Instance{}, numbers: map[string]int{},
	}
	for _, i := range world.Instances {
		w.hops[i.ID], w.hops[i.ENI] = i, i
	}
	for i, v := range world.VPCs {
		for _, t := range v.Tables {
			w.numbers[t.ID] = firstTable + len(w.numbers)
			w.table(v, t)
		}
		w.rulesOf(v, world.Instances)
		if i == 0 && len(v.Tables) > 0 {
			// What the router says itself, that a packet was too big for one, has a way back too.
			w.state.rules[rule{"lo", firstTable}] = true
		}
	}
	return w.state
}

type wisher struct {
	state   state
	ports   map[string]Port
	links   map[string]int
	hops    map[string]alisim.Instance // by id and by interface
	numbers map[string]int             // kernel table of a simulator's table
}

func (w *wisher) table(v alisim.VPC, t alisim.Table) {
	n := w.numbers[t.ID]
	for _, r := range t.Routes {
		if r.State == alisim.Available || r.State == alisim.Modifying {
			w.state.routes[place{n, r.Destination}] = w.toward(r.NextHop)
		}
	}
	// A system entry wins over a shorter custom one, so it must be in the table too.
	for _, s := range v.VSwitches {
		w.state.routes[place{n, s.CIDR}] = target{kind: unix.RTN_THROW}
	}
	w.state.routes[place{n, netip.MustParsePrefix("100.64.0.0/10")}] = target{kind: unix.RTN_THROW}
}

// toward is the way to a next hop, or the lack of one.
func (w *wisher) toward(hop string) target {
	i, known := w.hops[hop]
	link, up := w.links[w.ports[i.ID].Link]
	if !known || !up || i.Status != alisim.Running {
		return target{kind: unix.RTN_BLACKHOLE}
	}
	return target{unix.RTN_UNICAST, i.IP, link}
}

func (w *wisher) rulesOf(v alisim.VPC, instances []alisim.Instance) {
	tables := map[string]string{}
	for _, s := range v.VSwitches {
		tables[s.ID] = s.Table
	}
	for _, i := range instances {
		if link := w.ports[i.ID].Link; i.VPC == v.ID && link != "" {
			w.state.rules[rule{link, w.numbers[tables[i.VSwitch]]}] = true
		}
	}
}
