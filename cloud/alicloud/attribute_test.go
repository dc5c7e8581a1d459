package alicloud

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
)

// both are creates of the same destinations in two tables, one table after the other.
func both(n int) []api.Change { return append(creates(0, n), creates(1, n)...) }

// The cloud names failures without their tables, and may spoil the list of them: what counts
// is what is there.
func TestFailuresAreAttributed(t *testing.T) {
	for name, test := range map[string]struct {
		fault alisim.Fault
		want  map[int]error // by place among three destinations in two tables
		alone int           // asked for again alone
	}{
		"the last":        {alisim.Fault{Fail: 1, FailCode: "QuotaExceeded"}, nil, 1},
		"two, permuted":   {alisim.Fault{Fail: 2, FailCode: "QuotaExceeded", Failures: alisim.Permuted}, nil, 2},
		"two, duplicated": {alisim.Fault{Fail: 2, FailCode: "QuotaExceeded", Failures: alisim.Duplicated}, map[int]error{4: api.ErrQuota, 5: api.ErrUnknown}, 0},
		"two, short":      {alisim.Fault{Fail: 2, FailCode: "InvalidCidrBlock", Failures: alisim.Short}, nil, 2},
		"in both tables": {alisim.Fault{Fail: 6, FailCode: "QuotaExceeded"}, map[int]error{
			0: api.ErrQuota, 1: api.ErrQuota, 2: api.ErrQuota, 3: api.ErrQuota, 4: api.ErrQuota, 5: api.ErrQuota,
		}, 0},
		"told, not so": {alisim.Fault{Fail: 3, FailCode: "InvalidCidrBlock", After: true}, nil, 0},
		"busy":         {alisim.Fault{Fail: 3}, nil, 0},
		"not known":    {alisim.Fault{Fail: 2, FailCode: "VPC_ROUTE_ENTRY_SURPRISE"}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Settle = 300 * time.Millisecond })
			test.fault.Action = batchCreate
			r.sim.Fault(test.fault)
			for i, result := range r.apply(t, both(3)...) {
				isKind(t, result, test.want[i])
			}
			if got := r.calls("CreateRouteEntry"); got != test.alone {
				t.Errorf("%d single creates, want %d", got, test.alone)
			}
		})
	}
}

// One of two tables is full, and the first look is late: the entry of the other is not taken
// for the one that failed.
func TestLateLookBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inBubble(t, world(), alisim.Options{TaskTime: 300 * time.Millisecond})
		for _, action := range []string{batchCreate, "CreateRouteEntry"} {
			fault := alisim.Fault{Action: action, Code: "QuotaExceeded", Times: -1}
			if action == batchCreate {
				fault = alisim.Fault{Action: action, Fail: 1, FailCode: "QuotaExceeded"}
			} else {
				fault.Match = map[string]string{"RouteTableId": string(route(1, 0, 0).Table)}
			}
			r.sim.Fault(fault)
		}
		r.sim.Fault(alisim.Fault{Action: list, Hide: -1, Times: 2})
		results := r.apply(t, both(1)...)
		isKind(t, results[0], nil)
		isKind(t, results[1], api.ErrQuota)
	})
}

// An entry that goes while a table is listed moves another one out of sight: that one is not
// taken for deleted, neither before nor after it was.
func TestPagesProveNothingMissing(t *testing.T) {
	for _, counted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := inBubble(t, fleet(1, 200), alisim.Options{TaskTime: 300 * time.Millisecond, ReadTime: 50 * time.Millisecond})
			made := joining(1, 190)
			counts := len(made)
			if !counted {
				counts = 90 // another replica adds the rest
			}
			r.done(t, made[:counts]...)
			if _, err := r.Routes(t.Context(), fleetTable(0)); err != nil {
				t.Fatal(err)
			}
			for _, c := range made[counts:] {
				hand{r.sim}.AddForeign(c.Route)
			}
			r.sim.Fault(alisim.Fault{Action: list, Skip: 1, Edits: []alisim.Edit{{
				Verb: alisim.RemoveEntry, Table: string(fleetTable(0)), Destination: made[0].Route.Destination,
			}}})
			gone := leaving(made[80:130])
			r.done(t, gone...)
			for _, left := range r.sim.Routes(string(fleetTable(0))) {
				for _, c := range gone {
					if left.Destination == c.Route.Destination {
						t.Errorf("%s is told to be deleted, and is there", left.Destination)
					}
				}
			}
		})
	}
}

// What is not settled keeps nothing else from being sent, for long.
func TestUnsettledBatchHoldsNothingUp(t *testing.T) {
	for name, fault := range map[string]alisim.Fault{
		"answer lost":   {Reset: true},
		"stays Pending": {Stick: true},
		"vanishes":      {Vanish: true},
		"does nothing":  {Nothing: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inBubble(t, fleet(1, 60), alisim.Options{TaskTime: time.Second, ReadTime: 50 * time.Millisecond})
				fault.Action = batchCreate
				r.sim.Fault(fault)
				start := time.Now()
				results := r.apply(t, joining(1, 60)...)
				isKind(t, results[49], api.ErrUnknown)
				isKind(t, results[59], nil)
				if took := time.Since(start); took > defaultSettle+time.Second {
					t.Errorf("took %s", took)
				}
				for _, q := range r.sim.Requests() {
					if at := q.At.Sub(start); q.Action == batchCreate && at > 15*time.Second {
						t.Errorf("the next batch was sent after %s", at)
					}
				}
			})
		})
	}
}

// lagging is a simulator that shows one destination as Pending for ever.
func lagging(sim http.Handler, destination string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		recorder := httptest.NewRecorder()
		sim.ServeHTTP(recorder, req)
		var body map[string]any
		must(json.Unmarshal(recorder.Body.Bytes(), &body))
		if entries, ok := body["RouteEntrys"].(map[string]any); ok {
			for _, e := range entries["RouteEntry"].([]any) {
				if e := e.(map[string]any); e["DestinationCidrBlock"] == destination {
					e["Status"] = "Pending"
				}
			}
		}
		w.WriteHeader(recorder.Code)
		must(json.NewEncoder(w).Encode(body))
	})
}

// One entry that lags behind is settled alone, while the others and the next batches go on.
func TestOutlierHoldsNothingUp(t *testing.T) {
	for _, outlier := range []int{3, 40} { // among those that are watched, and among the rest
		synctest.Test(t, func(t *testing.T) {
			r := inBubble(t, fleet(1, 120), alisim.Options{TaskTime: time.Second, ReadTime: 50 * time.Millisecond})
			changes := joining(1, 120)
			r.client.Transport = wire{lagging(r.sim.API(), changes[outlier].Route.Destination.String())}
			start := time.Now()
			for i, result := range r.apply(t, changes...) {
				if i == outlier {
					isKind(t, result, api.ErrUnknown)
				} else {
					isKind(t, result, nil)
				}
			}
			for _, q := range r.sim.Requests() {
				if at := q.At.Sub(start); q.Action == batchCreate && at > 5*time.Second {
					t.Errorf("outlier %d: a batch was sent after %s", outlier, at)
				}
			}
		})
	}
}

// A change of a place waits for the one before it, and does not follow one of unknown outcome.
func TestChangesOfOnePlaceKeepTheirOrder(t *testing.T) {
	r := newRig(t, shortly)
	r.done(t, creates(0, 1)...)
	turn := []api.Change{{Verb: api.Delete, Route: route(0, 0, 0)}, {Verb: api.Create, Route: route(0, 0, 1)}}
	r.done(t, turn...)
	r.sim.Fault(alisim.Fault{Action: batchDelete, Reset: true})
	results := r.apply(t, api.Change{Verb: api.Delete, Route: route(0, 0, 1)}, creates(0, 1)[0])
	isKind(t, results[0], api.ErrUnknown)
	isKind(t, results[1], api.ErrBusy)
}

// An entry that somebody else changes right now is waited for, a little longer each time.
func TestEntryInTransitionIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inBubble(t, fleet(1, 2), alisim.Options{TaskTime: 2 * time.Second})
		changes := joining(1, 2)
		r.done(t, changes...)
		other := inBubble(t, fleet(1, 2), alisim.Options{}) // another hand on the same cloud
		other.client.Transport = r.client.Transport
		gone := leaving(changes[:1])[0]
		left := make(chan struct{})
		go func() {
			defer close(left)
			if results, err := other.Apply(t.Context(), []api.Change{gone}, cloud.Always); err != nil || results[0].Err != nil {
				t.Errorf("got %v, %v", results, err)
			}
		}()
		<-time.After(time.Second)
		before := r.calls(list)
		r.done(t, gone)
		if n := r.calls(list) - before; n > 20 || r.calls(batchDelete) != 1 {
			t.Errorf("%d reads and %d deletes until the other one was done", n, r.calls(batchDelete))
		}
		<-left
	})
}
