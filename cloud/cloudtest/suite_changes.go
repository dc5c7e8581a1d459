package cloudtest

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

func readTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"network is described": func(s *suite) {
			got, err := s.Tables.Network(s.ctx)
			if err != nil {
				s.Fatal(err)
			}
			if diff := cmp.Diff(s.world.Network, got, netipByValue()); diff != "" {
				s.Errorf("network (-want +got):\n%s", diff)
			}
		},
		"instances known and unknown": func(s *suite) {
			ids := []api.InstanceID{s.host(2), "i-bp1small0000000000009", s.host(0), s.host(0)}
			s.knows(ids, s.world.Instances[0], s.world.Instances[2])
		},
		"instances, none asked for": func(s *suite) { s.knows(nil) },
		"instances, more than one call can name": func(s *suite) {
			var ids []api.InstanceID
			var want []cloud.Instance
			for n := range 130 {
				i := s.world.Instances[0]
				i.ID = api.InstanceID("i-bp1many" + string(rune('a'+n/26)) + string(rune('a'+n%26)) + "00000000000")
				i.Interface.ID = api.InterfaceID("eni" + i.ID[1:])
				i.IP = netip.AddrFrom4([4]byte{192, 168, 0, byte(20 + n)})
				s.Hand.AddInstance(i)
				ids, want = append(ids, i.ID), append(want, i)
			}
			s.knows(ids, want...)
		},
		"routes of an empty table": func(s *suite) { s.holds(0) },
		"routes of a table that does not exist": func(s *suite) {
			routes, err := s.Tables.Routes(s.ctx, "vtb-bp1small0000000000009")
			if !errors.Is(err, api.ErrNotFound) || routes != nil {
				s.Errorf("got %v, %v; want nothing and ErrNotFound", routes, err)
			}
		},
		"routes, foreign and owned": func(s *suite) {
			copied := s.foreign(0, 2, 0)
			copied.Mark = api.Mark{Cluster: "another", Host: s.host(0)}
			s.Hand.AddForeign(s.foreign(0, 1, 1))
			s.Hand.AddForeign(copied)
			s.must(creates(s.route(0, 3, 0))...)
			s.holds(0, s.foreign(0, 1, 1), copied, s.route(0, 3, 0))
			s.holds(1)
		},
		"routes, more than one page": func(s *suite) {
			var want []api.Route
			for n := range 150 {
				want = append(want, s.foreign(1, n, n%2))
				s.Hand.AddForeign(want[n])
			}
			s.holds(1, want...)
		},
	}
}

// listed is the route of the n-th subnet as the cloud lists it.
func (s *suite) listed(table, n int) api.Route {
	s.Helper()
	routes, err := s.Tables.Routes(s.ctx, s.table(table))
	i := slices.IndexFunc(routes, func(r api.Route) bool { return r.Destination == subnet(n) })
	if err != nil || i < 0 {
		s.Fatalf("no route for %s: %v, %v", subnet(n), routes, err)
	}
	return routes[i]
}

// knows requires that the cloud answers with exactly these instances.
func (s *suite) knows(ids []api.InstanceID, want ...cloud.Instance) {
	s.Helper()
	got, err := s.Tables.Instances(s.ctx, ids)
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(want, got, netipByValue(), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(cloud.Interface{}, "MayAdmit", "MayEmit")); diff != "" {
		s.Errorf("instances (-want +got):\n%s", diff)
	}
}

func changeTests() map[string]func(*suite) {
	tests := map[string]func(*suite){
		"replace next hop and mark": func(s *suite) {
			s.must(creates(s.route(0, 1, 0), s.route(0, 2, 0))...)
			s.must(replacement(s.route(0, 1, 0), s.route(0, 1, 1)))
			s.holds(0, s.route(0, 1, 1), s.route(0, 2, 0))
		},
		"replace the mark only": func(s *suite) {
			s.Hand.AddForeign(s.foreign(0, 1, 0))
			s.must(replacement(s.listed(0, 1), s.route(0, 1, 0)))
			s.holds(0, s.route(0, 1, 0))
		},
		"a foreign route created again is another": func(s *suite) {
			s.Hand.AddForeign(s.foreign(0, 1, 0))
			seen := s.listed(0, 1)
			s.Hand.Remove(seen.Key())
			s.Hand.AddForeign(s.foreign(0, 1, 0))
			s.refuses(replacement(seen, s.route(0, 1, 1)), api.ErrRefused)
			s.holds(0, s.foreign(0, 1, 0))
		},
		"a route of ours created again is another": func(s *suite) {
			s.must(creates(s.route(0, 1, 0))...)
			seen := s.listed(0, 1)
			s.must(deletion(seen))
			s.must(creates(s.route(0, 1, 0))...)
			s.refuses(deletion(seen), api.ErrRefused)
			s.refuses(replacement(seen, s.route(0, 1, 1)), api.ErrRefused)
			s.holds(0, s.route(0, 1, 0))
		},
		"delete what a failed create was to cover": func(s *suite) {
			half, elsewhere, whole := s.route(0, 1, 0), s.route(1, 1, 0), s.route(0, 1, 0)
			half.Destination = netip.PrefixFrom(half.Destination.Addr(), 25)
			elsewhere.Destination = half.Destination
			s.must(creates(half, elsewhere)...)
			whole.NextHop = "i-bp1small0000000000077"
			results := s.apply(append(creates(whole), deletion(half), deletion(elsewhere))...)
			s.hasKind(results[0], api.ErrNotFound, api.ErrInvalid)
			s.hasKind(results[1], api.ErrBusy)
			s.hasKind(results[2], nil)
			s.holds(0, half)
			whole.NextHop = half.NextHop
			s.must(append(creates(whole), deletion(half))...)
			s.holds(0, whole)
		},
		"replace what is replaced already": func(s *suite) {
			s.must(creates(s.route(0, 1, 1))...)
			s.must(replacement(s.route(0, 1, 0), s.route(0, 1, 1)))
			s.holds(0, s.route(0, 1, 1))
		},
		"delete": func(s *suite) {
			s.must(creates(s.route(0, 1, 0), s.route(0, 2, 1), s.route(1, 1, 0))...)
			s.must(deletion(s.route(0, 1, 0)), deletion(s.route(1, 1, 0)))
			s.holds(0, s.route(0, 2, 1))
			s.holds(1)
		},
		"delete many": func(s *suite) {
			routes := s.many(0, 0, 60)
			s.must(creates(routes...)...)
			var changes []api.Change
			for _, r := range routes[:55] {
				changes = append(changes, deletion(r))
			}
			s.must(changes...)
			s.holds(0, routes[55:]...)
		},
		"delete what is absent": func(s *suite) {
			s.must(deletion(s.route(0, 1, 0)))
			s.must(creates(s.route(0, 2, 0))...)
			s.must(deletion(s.route(0, 1, 0)), deletion(s.route(0, 2, 0)))
			s.holds(0)
		},
		"create what is there already": func(s *suite) {
			s.must(creates(s.route(0, 1, 0))...)
			s.must(creates(s.route(0, 1, 0), s.route(0, 2, 0))...)
			s.holds(0, s.route(0, 1, 0), s.route(0, 2, 0))
		},
		"all verbs in one call": func(s *suite) {
			s.must(creates(s.route(0, 1, 0), s.route(0, 2, 0))...)
			s.must(
				deletion(s.route(0, 1, 0)), creates(s.route(0, 1, 1))[0],
				replacement(s.route(0, 2, 0), s.route(0, 2, 1)), creates(s.route(1, 3, 0))[0],
			)
			s.holds(0, s.route(0, 1, 1), s.route(0, 2, 1))
			s.holds(1, s.route(1, 3, 0))
		},
	}
	for _, n := range []int{1, 51, 120} {
		tests[createName(n)] = func(s *suite) {
			system, custom := s.many(0, 0, n), s.many(1, 0, n)
			s.must(append(creates(system...), creates(custom...)...)...)
			s.holds(0, system...)
			s.holds(1, custom...)
		}
	}
	return tests
}
