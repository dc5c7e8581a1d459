package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
)

// Desired never wants what another host still holds. Diff does not rely on it.
func TestDiffMovesOnEvidenceOnly(t *testing.T) {
	p := prefix("10.0.0.0/24")
	route := func(host api.InstanceID) api.Route {
		return api.Route{Table: "vtb-1", Destination: p, NextHop: string(host), Mark: api.Mark{Cluster: ours, Host: host}}
	}
	guard := Guard{Cluster: ours, Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true, Pools: prefixes("10.0.0.0/8")}
	holder := newHost("i-1", p, 1)
	left := holder
	left.Life = api.LifeLeft
	for name, tt := range map[string]struct {
		hosts []api.Host
		want  string
	}{
		"reported": {[]api.Host{holder}, "held replace 10.0.0.0/24 -> i-2 in vtb-1: no-evidence (i-1 still reports it)\n"},
		"unknown":  {nil, "held replace 10.0.0.0/24 -> i-2 in vtb-1: no-evidence (i-1 is not in the registry)\n"},
		"left":     {[]api.Host{left}, "replace 10.0.0.0/24 -> i-2 in vtb-1 (was i-1): moved\n"},
	} {
		guard.Hosts = tt.hosts
		got := Diff([]api.Route{route("i-2")}, []api.Route{route("i-1")}, guard).String()
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// An adopted route is taken over as it is, and only the one that the operator saw.
func TestAdoption(t *testing.T) {
	p := prefix("10.0.0.0/24")
	hosts := []api.Host{newHost("i-1", p, 3)}
	rules := Rules{Cluster: ours, VPC: vpc, Pools: prefixes("10.0.0.0/8"), Tables: []api.TableID{"vtb-1"}}
	foreign := api.Route{Table: "vtb-1", Destination: p, NextHop: "vpn-1", State: api.RouteAvailable, ID: "rte-1"}
	given := api.Adoption{Table: "vtb-1", Destination: p, NextHop: "vpn-1", ID: "rte-1"}
	for what, test := range map[string]struct {
		have  api.Route
		given []api.Adoption
		want  string
	}{
		"not given": {foreign, nil, "held create 10.0.0.0/24 -> i-1 in vtb-1: foreign-route (the way is taken by 10.0.0.0/24 -> vpn-1 in vtb-1)\n"},
		"given":     {foreign, []api.Adoption{given}, "replace 10.0.0.0/24 -> i-1 in vtb-1 (was vpn-1): adopted\n"},
		"made anew since": {
			with(foreign, func(r *api.Route) { r.ID = "rte-2" }),
			[]api.Adoption{given},
			"held create 10.0.0.0/24 -> i-1 in vtb-1: foreign-route (the way is taken by 10.0.0.0/24 -> vpn-1 in vtb-1)\n",
		},
		"pointed elsewhere since": {
			with(foreign, func(r *api.Route) { r.NextHop = "i-9" }),
			[]api.Adoption{given},
			"held create 10.0.0.0/24 -> i-1 in vtb-1: foreign-route (the way is taken by 10.0.0.0/24 -> i-9 in vtb-1)\n",
		},
	} {
		c := cluster{hosts: hosts, have: []api.Route{test.have}, rules: rules, guard: Guard{
			Cluster: ours, Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true, Pools: rules.Pools, Adopt: test.given,
		}}
		if got := c.plan().String(); got != test.want {
			t.Errorf("%s: got\n%swant\n%s", what, got, test.want)
		}
	}
}

// Marks that are newer than the registry show that it was put back: nothing is taken from a
// host then, until an operator accepts it.
func TestRegistryOlderThanTheMarks(t *testing.T) {
	p := prefix("10.0.0.0/24")
	mine := api.Route{
		Table: "vtb-1", Destination: p, NextHop: "i-1", State: api.RouteAvailable,
		Mark: api.Mark{Cluster: ours, Host: "i-1", Generation: 57},
	}
	left := api.Host{Report: api.Report{Instance: "i-1", VPC: vpc}, Life: api.LifeLeft}
	for _, test := range []struct {
		revision, accepted int64
		want               string
	}{
		{41, 0, "held delete 10.0.0.0/24 -> i-1 in vtb-1: registry-old (the route is of revision 57, what the registry knows of its host is older)\n"},
		{400, 0, "held delete 10.0.0.0/24 -> i-1 in vtb-1: registry-old (the route is of revision 57, what the registry knows of its host is older)\n"},
		{41, 57, "delete 10.0.0.0/24 -> i-1 in vtb-1: host-left\n"},
		{-57, 0, "delete 10.0.0.0/24 -> i-1 in vtb-1: host-left\n"},
	} {
		left.Revision = 41 // the registry has moved on since, the host has not written
		if test.revision < 0 {
			test.revision, left.Revision = -test.revision, -test.revision
		}
		c := cluster{hosts: []api.Host{left}, have: []api.Route{mine}, rules: Rules{Cluster: ours, VPC: vpc, Pools: prefixes("10.0.0.0/8")}}
		c.guard = Guard{
			Cluster: ours, Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true, Pools: c.rules.Pools,
			Deletes: api.GuardConfig{MaxDeletes: 5}, Revision: test.revision, Accepted: test.accepted,
		}
		if got := c.plan().String(); got != test.want {
			t.Errorf("registry at %d, accepted %d: got\n%swant\n%s", test.revision, test.accepted, got, test.want)
		}
	}
}

func with(r api.Route, change func(*api.Route)) api.Route {
	change(&r)
	return r
}
