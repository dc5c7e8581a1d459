package plan

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// failer lets laws serve as oracles of the fuzz target too.
type failer interface {
	Fatalf(format string, args ...any)
}

// foreignIsSafe is law 3.
func foreignIsSafe(t failer, p api.Plan, want, have []api.Route) {
	wanted := routesByKey(want)
	for _, r := range have {
		if r.OwnedBy(ours) {
			continue
		}
		for _, c := range p.Changes {
			if c.Route.Key() == r.Key() {
				t.Fatalf("%s touches foreign %s", c, r)
			}
		}
		_, inTheWay := wanted[r.Key()]
		if inTheWay != slices.ContainsFunc(p.Held, func(h api.Held) bool {
			return h.Change.Route.Key() == r.Key() && h.Reason == api.ReasonForeignRoute && h.Detail != ""
		}) {
			t.Fatalf("foreign %s is in the way: %v, but the plan is\n%s", r, inTheWay, p)
		}
	}
}

// onlyOurRanges is law 11.
func onlyOurRanges(t failer, p api.Plan, rules Rules) {
	never := prefixes("100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/8",
		"::/8", "100::/64", "fe80::/10", "fec0::/10", "ff00::/8")
	for _, v := range rules.VSwitches {
		never = append(never, v.CIDR)
	}
	for _, c := range p.Changes {
		d := c.Route.Destination
		if !slices.ContainsFunc(rules.Pools, func(pool netip.Prefix) bool { return pool.Overlaps(d) && pool.Bits() <= d.Bits() }) {
			t.Fatalf("%s is outside the pools %v", c, rules.Pools)
		}
		for _, n := range never {
			if c.Verb != api.Delete && (n.Overlaps(d) || d.Bits() == 0) {
				t.Fatalf("%s overlaps %s", c, n)
			}
		}
		if d != d.Masked() {
			t.Fatalf("%s has host bits", c)
		}
	}
}

// deletes are those that the plan makes, and those that it holds for the budget.
func deletes(p api.Plan) (made, over []api.Change) {
	for _, c := range p.Changes {
		if c.Verb == api.Delete {
			made = append(made, c)
		}
	}
	for _, h := range p.Held {
		if h.Reason == api.ReasonDeleteBudget {
			over = append(over, h.Change)
		}
	}
	return made, over
}

// taking are the places where the plan takes an route from its owner, or holds that only
// until the guard lets it. Where the cloud is at work on the route nothing is taken.
func taking(p api.Plan) map[api.RouteKey]api.InstanceID {
	places := map[api.RouteKey]api.InstanceID{}
	all := p.Changes
	for _, h := range p.Held {
		if h.Reason != api.ReasonInTransition && h.Reason != api.ReasonNoEvidence && h.Change.Reason != api.ReasonNoEvidence {
			all = append(all, h.Change)
		}
	}
	for _, c := range all {
		switch {
		case c.Verb == api.Delete:
			places[c.Route.Key()] = c.Route.Mark.Host
		case c.Reason == api.ReasonMoved:
			places[c.Route.Key()] = c.Was.Mark.Host
		}
	}
	return places
}

// named reports whether the plan makes or holds this change.
func named(p api.Plan, verb api.Verb, key api.RouteKey) bool {
	return slices.ContainsFunc(p.Changes, func(c api.Change) bool { return c.Verb == verb && c.Route.Key() == key }) ||
		slices.ContainsFunc(p.Held, func(h api.Held) bool { return h.Change.Verb == verb && h.Change.Route.Key() == key })
}
