package cloudtest

import (
	"github.com/sealane/sealane/api"
)

// batchTests are about many changes in one call: over several tables, whose failures a cloud
// may name without their table, and several of one place.
func batchTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"host by host in two tables": func(s *suite) {
			system, custom := s.many(0, 0, 70), s.many(1, 0, 70)
			s.must(creates(interleaved(system, custom)...)...)
			s.holds(0, system...)
			s.holds(1, custom...)
			var changes []api.Change
			for _, r := range interleaved(system[5:], custom[:65]) {
				changes = append(changes, deletion(r))
			}
			s.must(changes...)
			s.holds(0, system[:5]...)
			s.holds(1, custom[65:]...)
		},
		"taken in one table, free in the other": func(s *suite) {
			s.Hand.AddForeign(s.foreign(1, 1, 1))
			system, custom := s.many(0, 0, 3), s.many(1, 0, 3)
			for i, r := range s.apply(creates(interleaved(system, custom)...)...) {
				if i == 3 {
					s.hasKind(r, api.ErrRefused)
				} else {
					s.hasKind(r, nil)
				}
			}
			s.holds(0, system...)
			s.holds(1, custom[0], s.foreign(1, 1, 1), custom[2])
		},
		"one table is full": func(s *suite) {
			var full []api.Route
			for n := range s.world.Network.Tables[0].Quota {
				full = append(full, s.foreign(0, 1000+n, 0))
				s.Hand.AddForeign(full[n])
			}
			system, custom := s.many(0, 0, 4), s.many(1, 0, 4)
			for i, r := range s.apply(creates(interleaved(system, custom)...)...) {
				if i%2 == 0 {
					s.hasKind(r, api.ErrQuota)
				} else {
					s.hasKind(r, nil)
				}
			}
			s.holds(0, full...)
			s.holds(1, custom...)
		},
		"a place again and again": func(s *suite) {
			first, second := s.route(0, 1, 0), s.route(0, 1, 1)
			s.must(creates(first)[0], replacement(first, second), deletion(second), creates(first)[0], creates(s.route(1, 1, 1))[0])
			s.holds(0, first)
			s.holds(1, s.route(1, 1, 1))
		},
		"several replaces": func(s *suite) {
			was := append(s.many(0, 0, 3), s.many(1, 0, 3)...)
			s.must(creates(was...)...)
			var changes []api.Change
			var now []api.Route
			for i, r := range was {
				r.NextHop, r.Mark.Host = string(s.host((i+1)%2)), s.host((i+1)%2)
				changes, now = append(changes, replacement(was[i], r)), append(now, r)
			}
			s.must(changes...)
			s.holds(0, now[:3]...)
			s.holds(1, now[3:]...)
		},
	}
}

// interleaved takes one of each in turn.
func interleaved(a, b []api.Route) []api.Route {
	var all []api.Route
	for i := range a {
		all = append(all, a[i], b[i])
	}
	return all
}
