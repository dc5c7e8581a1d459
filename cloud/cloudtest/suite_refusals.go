package cloudtest

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

func refusalTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"create where a foreign route is": func(s *suite) {
			equal, other := s.foreign(0, 1, 0), s.foreign(0, 2, 1)
			s.Hand.AddForeign(equal)
			s.Hand.AddForeign(other)
			results := s.apply(creates(s.route(0, 1, 0), s.route(0, 2, 0), s.route(0, 3, 0))...)
			s.hasKind(results[0], api.ErrRefused)
			s.hasKind(results[1], api.ErrRefused)
			s.hasKind(results[2], nil)
			s.holds(0, equal, other, s.route(0, 3, 0))
		},
		"create where ours points elsewhere": func(s *suite) {
			s.must(creates(s.route(0, 1, 0))...)
			s.refuses(creates(s.route(0, 1, 1))[0], api.ErrRefused)
			s.holds(0, s.route(0, 1, 0))
		},
		"replace what changed": func(s *suite) {
			s.must(creates(s.route(0, 1, 0))...)
			s.Hand.Point(s.route(0, 1, 0).Key(), string(s.host(2)))
			s.refuses(replacement(s.route(0, 1, 0), s.route(0, 1, 1)), api.ErrRefused)
			pointed := s.route(0, 1, 0)
			pointed.NextHop = string(s.host(2))
			s.holds(0, pointed)
		},
		"replace what is gone": func(s *suite) {
			s.refuses(replacement(s.route(0, 1, 0), s.route(0, 1, 1)), api.ErrRefused)
			s.holds(0)
		},
		"delete what was pointed elsewhere": func(s *suite) {
			s.must(creates(s.route(0, 1, 0))...)
			s.Hand.Point(s.route(0, 1, 0).Key(), string(s.host(1)))
			s.refuses(deletion(s.route(0, 1, 0)), api.ErrRefused)
			pointed := s.route(0, 1, 0)
			pointed.NextHop = string(s.host(1))
			s.holds(0, pointed)
		},
		"delete what is no longer ours": func(s *suite) {
			s.must(creates(s.route(0, 1, 0), s.route(0, 2, 0))...)
			s.Hand.Remove(s.route(0, 1, 0).Key())
			s.Hand.AddForeign(s.foreign(0, 1, 0))
			results := s.apply(deletion(s.route(0, 1, 0)), deletion(s.route(0, 2, 0)))
			s.hasKind(results[0], api.ErrRefused)
			s.hasKind(results[1], nil)
			s.holds(0, s.foreign(0, 1, 0))
		},
		"create more than the quota": func(s *suite) {
			quota := s.world.Network.Tables[0].Quota
			var full []api.Route
			for n := range quota - 3 {
				full = append(full, s.foreign(0, n, 0))
				s.Hand.AddForeign(full[n])
			}
			done := s.fits(s.apply(creates(s.many(0, 1000, 8)...)...))
			if len(done) != 3 {
				s.Errorf("%d of 8 creates done with room for 3", len(done))
			}
			s.holds(0, append(full, done...)...)
		},
		"create with an unknown next hop": func(s *suite) {
			lost := s.route(0, 2, 0)
			lost.NextHop = "i-bp1small0000000000009"
			results := s.apply(creates(s.route(0, 1, 0), lost, s.route(0, 3, 1))...)
			s.hasKind(results[0], nil)
			s.hasKind(results[1], api.ErrNotFound, api.ErrInvalid)
			s.hasKind(results[2], nil)
			s.holds(0, s.route(0, 1, 0), s.route(0, 3, 1))
		},
		"create inside a vSwitch": func(s *suite) {
			inside, equal := s.route(0, 1, 0), s.route(0, 1, 0)
			inside.Destination = netip.MustParsePrefix("192.168.0.128/25")
			equal.Destination = netip.MustParsePrefix("192.168.1.0/24")
			results := s.apply(creates(inside, s.route(0, 1, 0), equal)...)
			s.hasKind(results[0], api.ErrInvalid)
			s.hasKind(results[1], nil)
			s.hasKind(results[2], api.ErrInvalid)
			s.holds(0, s.route(0, 1, 0))
		},
		"nonsense": func(s *suite) {
			for _, spoil := range []func(*api.Route){
				func(r *api.Route) { r.Table = "" },
				func(r *api.Route) { r.Destination = netip.Prefix{} },
				func(r *api.Route) { r.Destination = netip.MustParsePrefix("10.1.2.3/24") },
				func(r *api.Route) { r.Destination = netip.MustParsePrefix("0.0.0.0/0") },
				func(r *api.Route) { r.Destination = netip.MustParsePrefix("::/0") },
				func(r *api.Route) { r.NextHop = "" },
				func(r *api.Route) { r.HopType = "NatGateway" },
				func(r *api.Route) { r.Mark = api.Mark{} },
			} {
				r := s.route(0, 1, 0)
				spoil(&r)
				s.refuses(creates(r)[0], api.ErrInvalid)
			}
			s.refuses(api.Change{Verb: "widen", Route: s.route(0, 1, 0)}, api.ErrInvalid)
			s.refuses(api.Change{Verb: api.Replace, Route: s.route(0, 1, 0)}, api.ErrInvalid)
			s.refuses(replacement(s.route(1, 1, 0), s.route(0, 1, 1)), api.ErrInvalid)
			s.holds(0)
		},
	}
}

// fits returns the routes that were made; all others must have met the quota.
func (s *suite) fits(results []cloud.Result) []api.Route {
	s.Helper()
	var done []api.Route
	for _, r := range results {
		if r.Err == nil {
			done = append(done, r.Change.Route)
			continue
		}
		s.hasKind(r, api.ErrQuota)
	}
	return done
}

func orderTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"context ended before": func(s *suite) {
			ctx, cancel := context.WithCancel(s.ctx)
			cancel()
			results, err := s.Tables.Apply(ctx, creates(s.route(0, 1, 0)), s.permit)
			if !errors.Is(err, context.Canceled) || results != nil {
				s.Errorf("apply: got %v, %v; want no results and the context's error", results, err)
			}
			if _, err := s.Tables.Routes(ctx, s.table(0)); !errors.Is(err, context.Canceled) {
				s.Errorf("routes: got %v, want the context's error", err)
			}
			if _, err := s.Tables.Network(ctx); !errors.Is(err, context.Canceled) {
				s.Errorf("network: got %v, want the context's error", err)
			}
			s.holds(0)
		},
		"nothing to apply": func(s *suite) { s.must() },
		"calls at the same time": func(s *suite) {
			const callers, each = 4, 5
			var wg sync.WaitGroup
			var want []api.Route
			for n := range callers {
				routes := s.many(0, n*each, each)
				want = append(want, routes...)
				wg.Go(func() {
					results, err := s.Tables.Apply(s.ctx, creates(routes...), s.permit)
					if err != nil {
						s.Errorf("apply: %v", err)
					}
					for _, r := range results {
						s.hasKind(r, nil)
					}
				})
				wg.Go(func() {
					if _, err := s.Tables.Routes(s.ctx, s.table(0)); err != nil {
						s.Errorf("routes: %v", err)
					}
					if _, err := s.Tables.Instances(s.ctx, []api.InstanceID{s.host(0)}); err != nil {
						s.Errorf("instances: %v", err)
					}
				})
			}
			wg.Wait()
			s.holds(0, want...)
		},
	}
}
