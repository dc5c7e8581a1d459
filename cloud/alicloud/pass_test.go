package alicloud

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

// A steady pass reads the network, every table and the instances, and writes nothing. For N
// hosts with a route each in T tables, on V vSwitches, in G security groups and with E
// interfaces in the VPC it makes
//
//	2 + ceil(V/50) + ceil(T/50) + T*ceil(N/100) + ceil(N/100) + ceil(E/500) + G
//
// calls: nothing in it grows with the hosts but by pages.
func TestCallsOfASteadyPass(t *testing.T) {
	pages := func(n, size int) int { return max(1, (n+size-1)/size) }
	for _, tables := range []int{1, 3, 9} {
		for _, n := range []int{1, 10, 50, 51, 200, 1000} {
			t.Run(fmt.Sprintf("%d hosts, %d tables", n, tables), func(t *testing.T) {
				const groups = 2
				seed, ids := steady(n, tables, groups)
				r := rigOf(t, seed, func(h http.Handler) http.Handler { return h })
				r.pass(t, ids)
				before := len(r.sim.Requests())
				r.pass(t, ids)
				want := 2 + pages(tables, 50) + pages(tables, 50) + tables*pages(n, 100) + pages(n, 100) + pages(n, 500) + min(n, groups)
				if got := len(r.sim.Requests()) - before; got != want {
					t.Errorf("%d calls, want %d", got, want)
				}
			})
		}
	}
}

// steady is a VPC with n hosts, which each have a route in every table.
func steady(n, tables, groups int) (alisim.Seed, []api.InstanceID) {
	seed := world()
	v := &seed.VPCs[0]
	seed.Instances, v.Tables, v.VSwitches, v.SecurityGroups = nil, nil, nil, nil
	for g := range groups {
		v.SecurityGroups = append(v.SecurityGroups, alisim.SecurityGroup{ID: fmt.Sprintf("sg-%d", g)})
	}
	for k := range tables {
		table := alisim.Table{ID: fmt.Sprintf("vtb-%d", k), System: k == 0, Quota: 2000}
		for i := range n {
			table.Routes = append(table.Routes, alisim.Route{Destination: route(0, i, 0).Destination, NextHop: fmt.Sprintf("i-%d", i)})
		}
		v.Tables = append(v.Tables, table)
		at := netip.AddrFrom4([4]byte{192, 168, byte(16 * k), 0}) //nolint:gosec // 9 at most
		v.VSwitches = append(v.VSwitches, alisim.VSwitch{ID: fmt.Sprintf("vsw-%d", k), CIDR: netip.PrefixFrom(at, 20), Table: table.ID})
	}
	var ids []api.InstanceID
	for i := range n {
		k, m := i%tables, i/tables
		seed.Instances = append(seed.Instances, alisim.Instance{
			ID: fmt.Sprintf("i-%d", i), VSwitch: fmt.Sprintf("vsw-%d", k), SecurityGroups: []string{fmt.Sprintf("sg-%d", i%groups)},
			IP: netip.AddrFrom4([4]byte{192, 168, byte(16*k + m/250), byte(1 + m%250)}), //nolint:gosec // 1000 at most
		})
		ids = append(ids, api.InstanceID(fmt.Sprintf("i-%d", i)))
	}
	return seed, ids
}

// pass reads what the controller reads.
func (r rig) pass(t *testing.T, ids []api.InstanceID) {
	t.Helper()
	network, err := r.Network(t.Context())
	must(err)
	for _, table := range network.Tables {
		routes, err := r.Routes(t.Context(), table.ID)
		if err != nil || len(routes) != len(ids) || table.Used != len(ids) {
			t.Fatalf("%s: got %d routes of %d, %v; want %d", table.ID, len(routes), table.Used, err, len(ids))
		}
	}
	instances, err := r.Instances(t.Context(), ids)
	if err != nil || len(instances) != len(ids) {
		t.Fatalf("got %d instances, %v", len(instances), err)
	}
}
