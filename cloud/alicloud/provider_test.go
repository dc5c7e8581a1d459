package alicloud

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The key of all tests, with a canary in each part: no output may ever show one.
const (
	canaryID     = "canary-id/+="
	canarySecret = "canary-secret/+="
	canaryToken  = "canary-token/+="
)

// rig is a provider that looks at a simulator.
type rig struct {
	*Provider
	sim *alisim.Sim
}

// newRig starts a simulator whose tasks take some milliseconds.
func newRig(t *testing.T, adjust ...func(*Config)) rig {
	t.Helper()
	return rigOf(t, world(), func(h http.Handler) http.Handler { return h }, adjust...)
}

// rigOf is newRig for another world, with something before the simulator.
func rigOf(t *testing.T, seed alisim.Seed, before func(http.Handler) http.Handler, adjust ...func(*Config)) rig {
	t.Helper()
	sim, err := alisim.New(seed, alisim.Options{TaskTime: 4 * time.Millisecond, Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(before(sim.API()))
	t.Cleanup(server.Close)
	c := config(server.URL)
	for _, f := range adjust {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return rig{p, sim}
}

func config(endpoint string) Config {
	return Config{
		Region: "cn-hangzhou", VPC: cloudtest.Small().Network.VPC, Endpoint: endpoint,
		AccessKeyID: canaryID, AccessKeySecret: canarySecret,
		Timeout: 5 * time.Second, Settle: 5 * time.Second, Poll: 2 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) cloudtest.Subject {
		r := newRig(t)
		return cloudtest.Subject{Tables: r.Provider, Gates: r.Provider, Hand: hand{r.sim}}
	})
}

// calls counts the requests of an action, or of all that failed with a code.
func (r rig) calls(action string) (n int) {
	for _, q := range r.sim.Requests() {
		if q.Action == action {
			n++
		}
	}
	return n
}

func route(table, n, host int) api.Route {
	w := cloudtest.Small()
	id := w.Instances[host].ID
	return api.Route{
		Table: w.Network.Tables[table].ID, NextHop: string(id), Mark: api.Mark{Cluster: "c", Host: id},
		Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n / 256), byte(n % 256), 0}), 24),
	}
}

func creates(table, n int) []api.Change {
	var list []api.Change
	for i := range n {
		list = append(list, api.Change{Verb: api.Create, Route: route(table, i, i%2), Reason: api.ReasonNewSubnet})
	}
	return list
}

func (r rig) apply(t *testing.T, changes ...api.Change) []cloud.Result {
	t.Helper()
	results, err := r.Apply(t.Context(), changes, cloud.Always)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(changes) {
		t.Fatalf("%d results for %d changes", len(results), len(changes))
	}
	return results
}

func (r rig) done(t *testing.T, changes ...api.Change) {
	t.Helper()
	for _, result := range r.apply(t, changes...) {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
	}
}

func TestCallsOfCreates(t *testing.T) {
	for n, want := range map[int]int{1: 1, 50: 1, 51: 2, 120: 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := newRig(t)
			r.done(t, creates(0, n)...)
			if got := r.calls("CreateRouteEntries"); got != want {
				t.Errorf("%d calls for %d creates, want %d", got, n, want)
			}
			if got := r.calls("CreateRouteEntry"); got != 0 {
				t.Errorf("%d single creates", got)
			}
		})
	}
}

func TestCallsOfRoutes(t *testing.T) {
	for n, want := range map[int]int{0: 1, 100: 1, 101: 2, 150: 2, 201: 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := newRig(t)
			for i := range n {
				hand{r.sim}.AddForeign(route(0, i, 0))
			}
			routes, err := r.Routes(t.Context(), route(0, 0, 0).Table)
			if err != nil || len(routes) != n {
				t.Fatalf("got %d routes, %v; want %d", len(routes), err, n)
			}
			if got := r.calls("DescribeRouteEntryList"); got != want {
				t.Errorf("%d calls for %d entries, want %d", got, n, want)
			}
		})
	}
}

func TestNoWriteWhileOneIsInFlight(t *testing.T) {
	r := newRig(t)
	changes := append(creates(0, 60), creates(1, 60)...)
	r.done(t, changes...)
	var deletes []api.Change
	for _, c := range changes {
		deletes = append(deletes, api.Change{Verb: api.Delete, Route: c.Route, Reason: api.ReasonHostLeft})
	}
	r.done(t, deletes...)
	for _, q := range r.sim.Requests() {
		if q.Code != "" {
			t.Errorf("%s was answered %s", q.Action, q.Code)
		}
	}
	if got := r.calls("DeleteRouteEntries"); got != 3 {
		t.Errorf("%d calls for 60 deletes in each of two tables, want 3", got)
	}
}

func TestCallersTakeTurns(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for table := range 2 {
		for _, c := range creates(table, 3) {
			wg.Go(func() {
				if results, err := r.Apply(t.Context(), []api.Change{c}, cloud.Always); err != nil || results[0].Err != nil {
					t.Errorf("got %v, %v", results, err)
				}
			})
		}
	}
	wg.Wait()
	for _, q := range r.sim.Requests() {
		if q.Code != "" {
			t.Errorf("%s was answered %s", q.Action, q.Code)
		}
	}
}

func TestNothingToDoWritesNothing(t *testing.T) {
	r := newRig(t)
	r.done(t)
	if _, err := r.Network(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Instances(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := len(r.sim.Requests()); got != 4 {
		t.Errorf("%d requests, want the 4 that describe the network", got)
	}
}
