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
