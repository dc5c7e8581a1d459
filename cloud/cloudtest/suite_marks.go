package cloudtest

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// markTests are about what routes carry.
func markTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"generation of a mark": func(s *suite) {
			r := s.route(0, 1, 0)
			r.Mark.Generation = 41
			s.must(creates(r)...)
			s.holds(0, r)
			newer := s.route(0, 1, 1)
			newer.Mark.Generation = 42
			s.must(replacement(r, newer))
			s.holds(0, newer)
			newer.Mark.Generation = 7 // no part of what a change says it was
			s.must(deletion(newer))
			s.holds(0)
		},
		"mark copied to another destination": func(s *suite) {
			r, copied := s.route(0, 1, 0), s.foreign(0, 2, 0)
			s.must(creates(r)...)
			s.Hand.AddForeign(copied)
			s.Hand.Label(copied.Key(), r.Mark.Name(), api.Seal{}.Description(r))
			copied.Spoiled = true
			s.holds(0, r, copied)
			s.refuses(deletion(s.route(0, 2, 0)), api.ErrRefused)
			s.refuses(creates(s.route(0, 2, 0))[0], api.ErrRefused)
			s.holds(0, r, copied)
		},
		"mark edited": func(s *suite) {
			for n, edit := range []func(name, description string) (string, string){
				func(name, d string) (string, string) { return name, strings.Replace(d, "g=0", "g=9", 1) },
				func(name, d string) (string, string) { return name, d + "." },
				func(name, _ string) (string, string) { return name, "ours" },
				func(_, d string) (string, string) { return "web", d },
				func(name, d string) (string, string) { return strings.Replace(name, "suite", "other", 1), d },
			} {
				r := s.route(0, n, 0)
				s.must(creates(r)...)
				name, description := edit(r.Mark.Name(), api.Seal{}.Description(r))
				s.Hand.Label(r.Key(), name, description)
				r.Mark, r.Spoiled = api.Mark{}, true
				s.holds(0, r)
				s.refuses(deletion(s.route(0, n, 0)), api.ErrRefused)
				s.Hand.Remove(r.Key())
			}
		},
		"mark taken off": func(s *suite) {
			s.must(creates(s.route(0, 1, 0))...)
			s.Hand.Label(s.route(0, 1, 0).Key(), "web", "made by hand")
			s.holds(0, s.foreign(0, 1, 0))
			s.refuses(deletion(s.route(0, 1, 0)), api.ErrRefused)
		},
	}
}

// hopTests are about what tables take, and where routes lead.
func hopTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"routes that count against the quota": func(s *suite) {
			s.uses(0, 0)
			s.must(creates(s.route(0, 1, 0), s.route(0, 2, 0), s.route(1, 1, 0))...)
			s.Hand.AddForeign(s.foreign(0, 3, 0))
			s.uses(3, 1)
			s.must(deletion(s.route(0, 1, 0)))
			s.uses(2, 1)
		},
		"tables of gateways are left out": func(s *suite) {
			got, err := s.Tables.Network(s.ctx)
			if err != nil {
				s.Fatal(err)
			}
			for _, t := range got.Tables {
				if slices.Contains(s.world.Gateways, t.ID) {
					s.Errorf("%s is the table of a gateway", t.ID)
				}
			}
		},
		"IPv6": func(s *suite) {
			r, moved, four := s.six(1, 0), s.six(1, 2), s.route(0, 1, 0)
			s.must(creates(r, four)...)
			s.holds(0, r, four)
			s.must(replacement(r, moved))
			s.holds(0, moved, four)
			s.must(deletion(moved))
			s.holds(0, four)
		},
		"IPv6 inside a vSwitch": func(s *suite) {
			inside := s.six(1, 0)
			inside.Destination = netip.MustParsePrefix("2001:db8:1::/80")
			results := s.apply(creates(inside, s.six(2, 0))...)
			s.hasKind(results[0], api.ErrInvalid)
			s.hasKind(results[1], nil)
			s.holds(0, s.six(2, 0))
		},
		"secondary interface as next hop": func(s *suite) {
			r, primary := s.uplink(0, 1), s.route(0, 1, 1)
			s.must(creates(r, s.route(0, 2, 0))...)
			s.holds(0, r, s.route(0, 2, 0))
			s.must(replacement(r, primary))
			s.holds(0, primary, s.route(0, 2, 0))
			s.must(replacement(primary, r))
			s.holds(0, r, s.route(0, 2, 0))
			s.must(deletion(r))
			s.holds(0, s.route(0, 2, 0))
		},
		"unknown interface as next hop": func(s *suite) {
			lost := s.uplink(0, 1)
			lost.NextHop = "eni-bp1small0000000000077"
			results := s.apply(creates(lost, s.route(0, 2, 0))...)
			s.hasKind(results[0], api.ErrNotFound, api.ErrInvalid)
			s.hasKind(results[1], nil)
			s.holds(0, s.route(0, 2, 0))
		},
	}
}

// six is route for an IPv6 subnet, in the system table.
func (s *suite) six(n, host int) api.Route {
	r := s.route(0, n, host)
	r.Destination = netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(n)}), 64)
	return r
}

// uplink is route by the secondary interface of the second host.
func (s *suite) uplink(table, n int) api.Route {
	r := s.route(table, n, 1)
	r.NextHop, r.HopType = string(s.world.Instances[1].Others[0].ID), api.HopInterface
	return r
}

// uses requires that this many routes count in each table.
func (s *suite) uses(want ...int) {
	s.Helper()
	got, err := s.Tables.Network(s.ctx)
	if err != nil {
		s.Fatal(err)
	}
	if !slices.EqualFunc(got.Tables, want, func(t cloud.Table, n int) bool { return t.Used == n }) {
		s.Errorf("tables %+v: want %v used", got.Tables, want)
	}
}
