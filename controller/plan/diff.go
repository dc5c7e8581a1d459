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
	hosts := hostsByID(guard.Hosts)
	wanted, actual := routesByKey(want), routesByKey(have)
	var steps []api.Held // with an empty Reason: goes ahead
	for _, w := range want {
		a, there := actual[w.Key()]
		switch {
		case !there:
			steps = append(steps, goAhead(guard.createChange(w)))
		case !a.OwnedBy(guard.Cluster) && !guard.adopts(a):
			c := guard.createChange(w)
			c.Was = &a
			steps = append(steps, holdChange(c, api.ReasonForeignRoute, "the way is taken by "+a.String()))
		case !a.OwnedBy(guard.Cluster) && isSettled(a):
			steps = append(steps, goAhead(api.Change{Verb: api.Replace, Route: w, Was: &a, Reason: api.ReasonAdopted}))
		case a.State == api.RouteDeleting:
			steps = append(steps, holdChange(guard.createChange(w), api.ReasonInTransition, stateText(a)))
		case a.SameTarget(w) && a.Mark.Same(w.Mark) && !a.Stale:
		case !isSettled(a):
			steps = append(steps, holdChange(replaceChange(w, a), api.ReasonInTransition, stateText(a)))
		case a.Mark.Host == w.Mark.Host:
			// A mark never grows younger: it may be the witness of a registry that was put back.
			w.Mark.Generation = max(w.Mark.Generation, a.Mark.Generation)
			steps = append(steps, goAhead(replaceChange(w, a)))
		default:
			steps = append(steps, guard.takeFromHost(replaceChange(w, a), a, hosts))
		}
	}
	for _, a := range have {
		if _, ok := wanted[a.Key()]; !ok && a.OwnedBy(guard.Cluster) {
			steps = append(steps, guard.takeFromHost(api.Change{Verb: api.Delete, Route: a}, a, hosts))
		}
	}
	slices.SortFunc(steps, compareSteps)
	guard.holdSteps(steps, have)
	return splitSteps(steps)
}

// adopts reports whether an operator gave this foreign route to sealane.
func (g Guard) adopts(a api.Route) bool {
	return slices.ContainsFunc(g.Adopt, func(o api.Adoption) bool { return o.Covers(a) })
}

func (g Guard) createChange(w api.Route) api.Change {
	reason := api.ReasonNewSubnet
	if g.Written[w.Key()] {
		reason = api.ReasonDriftMissing
	}
	return api.Change{Verb: api.Create, Route: w, Reason: reason}
}

func replaceChange(w, a api.Route) api.Change {
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

// takeFromHost decides a change that takes a route away from the host it is marked for: it needs
// evidence that the host let it go.
func (g Guard) takeFromHost(c api.Change, from api.Route, hosts evidence) api.Held {
	owner := from.Mark.Host
	reason := hosts.releaseReason(owner, from.Destination)
	if c.Verb == api.Delete {
		c.Reason = reason
	}
	switch {
	case reason == api.ReasonNoEvidence && hosts[owner] == nil && !g.RegistryComplete:
		return holdChange(c, api.ReasonRegistryIncomplete, hosts.noReleaseText(owner))
	case reason == api.ReasonNoEvidence:
		return holdChange(c, api.ReasonNoEvidence, hosts.noReleaseText(owner))
	case !isSettled(from):
		return holdChange(c, api.ReasonInTransition, stateText(from))
	default:
		return goAhead(c)
	}
}

func goAhead(c api.Change) api.Held { return api.Held{Change: c} }

func holdChange(c api.Change, why api.Reason, detail string) api.Held {
	return api.Held{Change: c, Reason: why, Detail: detail}
}

// isSettled reports whether the cloud is done with the route. It takes no change before.
func isSettled(r api.Route) bool { return r.State == api.RouteAvailable || r.State == "" }

func stateText(r api.Route) string { return "the route to " + r.NextHop + " is " + string(r.State) }

func routesByKey(routes []api.Route) map[api.RouteKey]api.Route {
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

// splitSteps parts what goes ahead from what is held, in order.
func splitSteps(steps []api.Held) api.Plan {
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
