package plan

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sealane/sealane/api"
)

// TestMain asks for more clusters than rapid does by itself: the interesting ones are a few
// in a hundred.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "1000", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse() // what the command line says holds
	os.Exit(m.Run())
}

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
	tables := routesByKey(have)
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

func applied(t *rapid.T, p api.Plan, have []api.Route) []api.Route {
	next, err := apply(p, have)
	if err != nil {
		t.Fatalf("the plan cannot be applied: %v", err)
	}
	return next
}

func newHost(id api.InstanceID, p netip.Prefix, age int64) api.Host {
	return api.Host{
		Report: api.Report{Instance: id, VPC: vpc, Subnets: []api.Subnet{{Prefix: p, Bridge: "docker0"}}},
		Life:   api.LifeAlive,
		Claims: []api.Claim{{Prefix: p, Instance: id, Revision: age}},
	}
}

func shuffled[T any](t *rapid.T, s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return rapid.Permutation(s).Draw(t, "order")
}

func comparePrefixes() cmp.Option {
	return cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
}
