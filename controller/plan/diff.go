package plan

import (
	"cmp"
	"slices"

	"github.com/sealane/sealane/api"
)

// Diff compares and decides. For each place, a destination in a table:
//
//	there                  | wanted there                          | not wanted there
//	-----------------------+---------------------------------------+----------------------------
//	nothing                | create: new-subnet, or drift-missing  | -
//	                       | if it had been written before         |
//	foreign                | held create: foreign-route; replace:  | -
//	                       | adopted, if an operator said so       |
//	ours, Deleting         | held create: in-transition            |
//	ours, as wanted        | -                                     | delete: host-gone, host-left or
//	ours, Pending/Modif.   | held replace: in-transition           | subnet-released; without such
//	ours, other next hop   | replace: drift-next-hop; sealed with  | evidence held: no-evidence; not
//	                       | an old key: resealed                  |
//	ours, for another host | replace: moved, with the evidence     | Available held: in-transition
//	                       | of a delete; else held: no-evidence   |
//
// What the table decides the guard may still hold, see [Guard]. Changes come in the order
// in which they are made: new subnets, replaces, missing routes, deletes, marks.
func Diff(want, have []api.Route, guard Guard) api.Plan {
	hosts := gather(guard.Hosts)
	wanted, actual := byKey(want), byKey(have)
	var steps []api.Held // with an empty Reason: goes ahead
	for _, w := range want {
		a, there := actual[w.Key()]
		switch {
		case !there:
			steps = append(steps, goes(guard.create(w)))
		case !a.OwnedBy(guard.Cluster) && !guard.adopts(a):
			c := guard.create(w)
			c.Was = &a
			steps = append(steps, held(c, api.ReasonForeignRoute, "the way is taken by "+a.String()))
		case !a.OwnedBy(guard.Cluster) && settled(a):
			steps = append(steps, goes(api.Change{Verb: api.Replace, Route: w, Was: &a, Reason: api.ReasonAdopted}))
		case a.State == api.RouteDeleting:
			steps = append(steps, held(guard.create(w), api.ReasonInTransition, state(a)))
		case a.SameTarget(w) && a.Mark.Same(w.Mark) && !a.Stale:
		case !settled(a):
			steps = append(steps, held(replace(w, a), api.ReasonInTransition, state(a)))
		case a.Mark.Host == w.Mark.Host:
			// A mark never grows younger: it may be the witness of a registry that was put back.
			w.Mark.Generation = max(w.Mark.Generation, a.Mark.Generation)
			steps = append(steps, goes(replace(w, a)))
		default:
			steps = append(steps, guard.take(replace(w, a), a, hosts))
		}
	}
	for _, a := range have {
		if _, ok := wanted[a.Key()]; !ok && a.OwnedBy(guard.Cluster) {
			steps = append(steps, guard.take(api.Change{Verb: api.Delete, Route: a}, a, hosts))
		}
	}
	slices.SortFunc(steps, compareSteps)
	guard.hold(steps, have)
	return split(steps)
}

// adopts reports whether an operator gave this foreign entry to sealane.
func (g Guard) adopts(a api.Route) bool {
	return slices.ContainsFunc(g.Adopt, func(o api.Adoption) bool { return o.Covers(a) })
}

func (g Guard) create(w api.Route) api.Change {
	reason := api.ReasonNewSubnet
	if g.Written[w.Key()] {
		reason = api.ReasonDriftMissing
	}
	return api.Change{Verb: api.Create, Route: w, Reason: reason}
}

func replace(w, a api.Route) api.Change {
	reason := api.ReasonMoved
	switch {
	case a.Mark.Host != w.Mark.Host:
	case a.SameTarget(w):
		reason = api.ReasonResealed
	default:
		reason = api.ReasonDriftNextHop
	}
	return api.Change{Verb: api.Replace, Route: w, Was: &a, Reason: reason}
}

// take decides a change that takes an entry away from the host it is marked for: it needs
// evidence that the host let it go.
func (g Guard) take(c api.Change, from api.Route, hosts evidence) api.Held {
	owner := from.Mark.Host
	verdict := hosts.verdict(owner, from.Destination)
	if c.Verb == api.Delete {
		c.Reason = verdict
	}
	switch {
	case verdict == api.ReasonNoEvidence && hosts[owner] == nil && !g.RegistryComplete:
		return held(c, api.ReasonRegistryIncomplete, hosts.doubt(owner))
	case verdict == api.ReasonNoEvidence:
		return held(c, api.ReasonNoEvidence, hosts.doubt(owner))
	case !settled(from):
		return held(c, api.ReasonInTransition, state(from))
	default:
		return goes(c)
	}
}

func goes(c api.Change) api.Held { return api.Held{Change: c} }

func held(c api.Change, why api.Reason, detail string) api.Held {
	return api.Held{Change: c, Reason: why, Detail: detail}
}

// settled reports whether the cloud is done with the entry. It takes no change before.
func settled(r api.Route) bool { return r.State == api.RouteAvailable || r.State == "" }

func state(r api.Route) string { return "the entry to " + r.NextHop + " is " + string(r.State) }

func byKey(routes []api.Route) map[api.RouteKey]api.Route {
	m := make(map[api.RouteKey]api.Route, len(routes))
	for _, r := range routes {
		m[r.Key()] = r
	}
	return m
}

// compareSteps orders steps as they are made: what brings a new host in goes before what
// repairs an old one, and what takes away goes last.
func compareSteps(a, b api.Held) int {
	return cmp.Or(cmp.Compare(turn(a.Change), turn(b.Change)), api.CompareRoutes(a.Change.Route, b.Change.Route))
}

func turn(c api.Change) int {
	switch {
	case c.Verb == api.Create && c.Reason == api.ReasonNewSubnet:
		return 0
	case c.Reason == api.ReasonResealed:
		return 4
	case c.Verb == api.Replace:
		return 1
	case c.Verb == api.Create:
		return 2
	default:
		return 3
	}
}

// split parts what goes ahead from what is held, in order.
func split(steps []api.Held) api.Plan {
	p := api.Plan{Changes: []api.Change{}, Held: []api.Held{}, Conflicts: []api.Conflict{}}
	for _, s := range steps {
		if s.Reason == "" {
			p.Changes = append(p.Changes, s.Change)
		} else {
			p.Held = append(p.Held, s)
		}
	}
	return p
}
