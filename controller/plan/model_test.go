package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// cluster is all that one decision is made from.
type cluster struct {
	hosts []api.Host
	have  []api.Route
	rules Rules
	guard Guard
}

// decide joins the two halves as the controller does.
func (c cluster) decide() (api.Plan, []api.Route) {
	want, conflicts := Desired(c.hosts, c.have, c.rules)
	c.guard.Hosts = c.hosts
	p := Diff(want, c.have, c.guard)
	p.Conflicts = conflicts
	return p, want
}

func (c cluster) plan() api.Plan {
	p, _ := c.decide()
	return p
}

// apply is a model of the cloud: it makes the changes and refuses those that make no sense.
func apply(p api.Plan, have []api.Route) ([]api.Route, error) {
	tables := byKey(have)
	for _, c := range p.Changes {
		key := c.Route.Key()
		is, there := tables[key]
		switch {
		case c.Verb == api.Create && there:
			return nil, fmt.Errorf("%s: the place is taken by %s", c, is)
		case c.Verb == api.Replace && (!there || c.Was == nil || *c.Was != is):
			return nil, fmt.Errorf("%s: it was %s", c, is)
		case c.Verb == api.Delete && (!there || c.Route != is):
			return nil, fmt.Errorf("%s: it was %s", c, is)
		case c.Verb == api.Delete:
			delete(tables, key)
		default:
			c.Route.State = api.RouteAvailable
			tables[key] = c.Route
		}
	}
	next := make([]api.Route, 0, len(tables))
	for _, r := range tables {
		next = append(next, r)
	}
	slices.SortFunc(next, api.CompareRoutes)
	return next, nil
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range texts {
		all = append(all, prefix(s))
	}
	return all
}
