package cloudtest

import (
	"errors"

	"github.com/sealane/sealane/cloud"
)

// errStop is what the permit of these tests says in the end.
var errStop = errors.New("no longer permitted")

// permitTests are about the permit of an Apply.
func permitTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"no permit": func(s *suite) {
			s.permit = func() error { return errStop }
			for _, r := range s.apply(creates(s.many(0, 0, 3)...)...) {
				s.hasKind(r, errStop)
			}
			s.holds(0)
		},
		"a permit that ends": func(s *suite) {
			routes, asked := s.many(0, 0, 2*cloud.BatchLimit), 0
			s.permit = func() error {
				if asked++; asked > 1 {
					return errStop
				}
				return nil
			}
			made := 0
			for i, r := range s.apply(creates(routes...)...) {
				if r.Err == nil {
					made = i + 1
				} else {
					s.hasKind(r, errStop)
				}
			}
			if made == 0 || made == len(routes) {
				s.Fatalf("%d of %d were made, want those that were permitted", made, len(routes))
			}
			s.holds(0, routes[:made]...)
		},
	}
}
