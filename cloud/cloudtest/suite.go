package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Subject is an implementation of cloud.Tables and cloud.Gates that looks at a cloud holding
// Small, and a hand in that cloud.
type Subject struct {
	Tables cloud.Tables
	Gates  cloud.Gates
	Hand   Hand
}

// suite is one test: a subject and short words for what tests do with it.
type suite struct {
	*testing.T
	Subject
	ctx    context.Context
	permit cloud.Permit
	world  World
}

func (s *suite) table(n int) api.TableID { return s.world.Network.Tables[n].ID }

func (s *suite) host(n int) api.InstanceID { return s.world.Instances[n].ID }

// route is a desired route of this test's cluster: the n-th subnet, owned by a host.
func (s *suite) route(table, n, host int) api.Route {
	return api.Route{
		Table: s.table(table), Destination: subnet(n), NextHop: string(s.host(host)),
		Mark: api.Mark{Cluster: "suite", Host: s.host(host)},
	}
}

func (s *suite) foreign(table, n, host int) api.Route {
	r := s.route(table, n, host)
	r.Mark = api.Mark{}
	return r
}

func subnet(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n / 256), byte(n % 256), 0}), 24)
}

func creates(routes ...api.Route) []api.Change {
	changes := make([]api.Change, 0, len(routes))
	for _, r := range routes {
		changes = append(changes, api.Change{Verb: api.Create, Route: r, Reason: api.ReasonNewSubnet})
	}
	return changes
}

func deletion(r api.Route) api.Change {
	return api.Change{Verb: api.Delete, Route: r, Reason: api.ReasonHostLeft}
}

func replacement(was, r api.Route) api.Change {
	return api.Change{Verb: api.Replace, Route: r, Was: &was, Reason: api.ReasonMoved}
}

// apply applies the changes and requires one result for each, in their order.
func (s *suite) apply(changes ...api.Change) []cloud.Result {
	s.Helper()
	results, err := s.Tables.Apply(s.ctx, changes, s.permit)
	if err != nil {
		s.Fatalf("apply: %v", err)
	}
	var got []api.Change
	for _, r := range results {
		got = append(got, r.Change)
	}
	if diff := cmp.Diff(changes, got, netipByValue()); diff != "" {
		s.Fatalf("results are not in the order of the changes (-want +got):\n%s", diff)
	}
	return results
}

// must applies the changes and requires that all of them are made.
func (s *suite) must(changes ...api.Change) {
	s.Helper()
	for _, r := range s.apply(changes...) {
		if r.Err != nil {
			s.Fatalf("%s: %v", r.Change, r.Err)
		}
	}
}

// refuses applies one change and requires an error of one of these kinds.
func (s *suite) refuses(c api.Change, kinds ...error) {
	s.Helper()
	s.hasKind(s.apply(c)[0], kinds...)
}

func (s *suite) hasKind(r cloud.Result, kinds ...error) {
	s.Helper()
	if !slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(r.Err, kind) }) {
		s.Errorf("%s: got error %v, want one of %v", r.Change, r.Err, kinds)
	}
}

// holds requires that the table has exactly these routes, all Available.
func (s *suite) holds(table int, want ...api.Route) {
	s.Helper()
	got, err := s.Tables.Routes(s.ctx, s.table(table))
	if err != nil {
		s.Fatalf("list routes of %s: %v", s.table(table), err)
	}
	want = slices.Clone(want)
	for i := range want {
		want[i].State = api.RouteAvailable
		if want[i].HopType == "" {
			want[i].HopType = api.HopInstance
		}
	}
	slices.SortFunc(want, api.CompareRoutes)
	ids := map[string]bool{}
	for _, r := range got {
		if r.ID == "" || ids[r.ID] {
			s.Errorf("%s: route id %q is missing or not its own", r, r.ID)
		}
		ids[r.ID] = true
	}
	diff := cmp.Diff(want, got, netipByValue(), cmpopts.IgnoreFields(api.Route{}, "ID"), cmpopts.EquateEmpty())
	if diff != "" {
		s.Fatalf("routes of %s (-want +got):\n%s", s.table(table), diff)
	}
}

func netipByValue() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	}
}

// many returns n desired routes in a table from the first subnet on.
func (s *suite) many(table, first, n int) []api.Route {
	var routes []api.Route
	for i := range n {
		routes = append(routes, s.route(table, first+i, i%2))
	}
	return routes
}

func createName(n int) string { return fmt.Sprintf("create %d in each of two tables", n) }
