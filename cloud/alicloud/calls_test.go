package alicloud

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/entries"
	"github.com/sealane/sealane/cloud/alisim"
)

const list = "DescribeRouteEntryList"

// calls is how many calls n things take, so many at a time.
func calls(n, each int) int { return (n + each - 1) / each }

// settling is how many reads settle the first creates of a provider, in a cloud where they
// are done when they are first looked for.
func settling(changes []api.Change) (reads int) {
	batches := slices.Collect(slices.Chunk(changes, cloud.BatchLimit))
	for i, batch := range batches {
		in := map[api.TableID]int{}
		first := batch[0].Route.Table
		for _, c := range batch {
			in[c.Route.Table]++
			if n := in[c.Route.Table]; n > in[first] {
				first = c.Route.Table
			}
		}
		if i == 0 || len(batch) > 20 && i < len(batches)-1 {
			reads++
			in[first] -= min(in[first], entries.FilterLimit)
		}
		for _, n := range in {
			reads += calls(n, entries.FilterLimit)
		}
	}
	return reads
}

// The formulas of the package comment.
func TestCallFormulas(t *testing.T) {
	for _, tables := range []int{1, 3, 9} {
		for _, hosts := range []int{1, 10, 50, 51, 200, 1000} {
			t.Run(fmt.Sprintf("%d hosts in %d tables", hosts, tables), func(t *testing.T) {
				if underRace && hosts*tables > 1000 {
					t.Skip("needs no race detector: it takes minutes to count the same")
				}
				synctest.Test(t, func(t *testing.T) { countCalls(t, tables, hosts) })
			})
		}
	}
}

func countCalls(t *testing.T, tables, hosts int) {
	r := inBubble(t, fleet(tables, hosts), alisim.Options{})
	changes := joining(tables, hosts)
	count := func(what string, want map[string]int) {
		t.Helper()
		for _, action := range []string{batchCreate, batchDelete, "CreateRouteEntry", "DeleteRouteEntry", "ModifyRouteEntry", list} {
			if got := r.calls(action); got != want[action] {
				t.Errorf("%s: %d calls of %s, want %d", what, got, action, want[action])
			}
		}
		r.sim.Reset()
	}
	batches := calls(hosts*tables, cloud.BatchLimit)

	r.done(t, changes...)
	count("create", map[string]int{batchCreate: batches, list: settling(changes)})

	var ids []api.InstanceID
	for i := range hosts {
		ids = append(ids, fleetHost(i))
	}
	for pass := range 2 {
		network, err := r.Network(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range network.Tables {
			if routes, err := r.Routes(t.Context(), table.ID); err != nil || len(routes) != hosts {
				t.Fatalf("%d routes, %v", len(routes), err)
			}
		}
		if found, err := r.Instances(t.Context(), ids); err != nil || len(found) != hosts {
			t.Fatalf("%d instances, %v", len(found), err)
		}
		const one = 1 // a vSwitch and a table are never more than a page here; there is one group
		want := 2 + one + one + tables*calls(hosts, 100) + calls(hosts, instancePage) + calls(hosts, interfacePage) + one
		if got := len(r.sim.Requests()); got != want {
			t.Errorf("pass %d: %d calls when there is nothing to do, want %d: %v", pass, got, want, r.sim.Counts())
		}
		r.sim.Reset()
	}

	r.done(t, leaving(changes)...)
	if got := r.calls(batchDelete); got != batches {
		t.Errorf("delete: %d writes, want %d", got, batches)
	}
	if got, most := r.calls(list), 2*settling(changes)+batches; got > most {
		t.Errorf("delete: %d reads, want at most %d", got, most)
	}
	if got, want := len(r.sim.Requests()), batches+r.calls(list); got != want {
		t.Errorf("delete: %d requests, want writes and listings only, %d", got, want)
	}
}
