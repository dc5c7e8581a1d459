package alicloud

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
	"github.com/sealane/sealane/cloud/pace"
)

func TestConformanceThroughPace(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) cloudtest.Subject {
		limits := pace.DefaultLimits()
		limits.Others, limits.Actions = pace.Limit{PerMinute: 1e6, Burst: 1000}, nil
		r := newRig(t, func(c *Config) { c.Pacer = pace.New(limits) })
		return cloudtest.Subject{Tables: pace.Patient(r.Provider), Gates: r.Provider, Hand: hand{r.sim}}
	})
}

// The gateway's limit is not known: it is found, and kept in mind.
func TestLongRequestsMakeBatchesSmaller(t *testing.T) {
	r := newRig(t)
	long := alisim.Fault{Action: batchCreate, HTML: true, Status: 414}
	r.sim.Fault(long)
	r.done(t, creates(0, 100)...)
	if got := r.calls(batchCreate); got != 5 {
		t.Errorf("%d calls, want one of 50 and four of 25", got)
	}
	r.done(t, creates(1, 50)...)
	if got := r.calls(batchCreate); got != 7 {
		t.Errorf("%d calls, want two more of 25", got)
	}
	long.Times = -1
	r.sim.Fault(long)
	isKind(t, r.apply(t, creates(1, 60)[50:]...)[0], api.ErrInvalid)
	r.sim.ClearFaults()
	r.done(t, creates(1, 60)...)
}

// Without permission for batches the calls for single entries are used.
func TestBatchesForbidden(t *testing.T) {
	var log strings.Builder
	r := newRig(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, action := range []string{batchCreate, batchDelete} {
		r.sim.Fault(alisim.Fault{Action: action, Code: "Forbidden.RAM", Times: -1})
	}
	changes := append(creates(0, 3), creates(1, 2)...)
	for range 2 {
		r.done(t, changes...)
		r.done(t, leaving(changes)...)
	}
	for action, want := range map[string]int{batchCreate: 2, batchDelete: 2, "CreateRouteEntry": 10, "DeleteRouteEntry": 10} {
		if got := r.calls(action); got != want {
			t.Errorf("%d calls of %s, want %d", got, action, want)
		}
	}
	for _, action := range []string{batchCreate, batchDelete} {
		if got := strings.Count(log.String(), "must allow vpc:"+action); got != 1 {
			t.Errorf("%s was logged %d times, want once:\n%s", action, got, log.String())
		}
	}
	r.sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Code: "Forbidden.RAM"})
	results := r.apply(t, changes...)
	isKind(t, results[0], api.ErrDenied)
	isKind(t, results[1], api.ErrDenied)
}

// That reads are denied says nothing of batches.
func TestDeniedReadForbidsNoBatches(t *testing.T) {
	bubble(t, func(t *testing.T, r rig) {
		r.done(t, creates(0, 3)...)
		r.sim.Fault(alisim.Fault{Action: list, Code: "Forbidden.RAM"})
		for _, result := range r.apply(t, leaving(creates(0, 3))...) {
			isKind(t, result, api.ErrDenied)
		}
		r.done(t, leaving(creates(0, 3))...)
		if r.calls(batchDelete) != 1 || r.calls("DeleteRouteEntry") != 0 {
			t.Errorf("%v", r.sim.Counts())
		}
	})
}

// An attempt of the same change carries the same token, another change another one.
func TestTokenOfSingleCreates(t *testing.T) {
	for _, code := range []string{"TaskConflict", "LastTokenProcessing", "IncorrectInstanceStatus"} {
		t.Run(code, func(t *testing.T) {
			r := newRig(t)
			r.sim.Fault(alisim.Fault{Action: batchCreate, Code: "Forbidden.RAM"})
			r.sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Code: code, Times: 2})
			r.done(t, creates(0, 2)...)
			tokens := map[string][]string{}
			for _, q := range r.sim.Requests() {
				if q.Action == "CreateRouteEntry" {
					d := q.Params["DestinationCidrBlock"]
					tokens[d] = append(tokens[d], q.Params["ClientToken"])
				}
			}
			first, second := tokens["10.0.0.0/24"], tokens["10.0.1.0/24"]
			if len(first)+len(second) != 4 || first[0] == "" || first[0] == second[0] {
				t.Fatalf("got %v", tokens)
			}
			for _, list := range tokens {
				for _, token := range list {
					if token != list[0] {
						t.Errorf("an attempt has another token: %v", list)
					}
				}
			}
		})
	}
}

func TestSingleCreateOfUnknownOutcome(t *testing.T) {
	r := newRig(t)
	r.sim.Fault(alisim.Fault{Action: batchCreate, Code: "Forbidden.RAM"})
	r.sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Code: "InternalError", After: true})
	r.done(t, creates(0, 1)...)
	if got := r.calls("CreateRouteEntry"); got != 1 {
		t.Errorf("%d calls, want 1: it was read back", got)
	}
}

// note is a pacer that remembers.
type note struct {
	mu     sync.Mutex
	waits  map[string]time.Duration
	closed string // an action that may not be called
}

func (n *note) Wait(_ context.Context, action string) error {
	if action == n.closed {
		return api.ErrThrottled
	}
	return nil
}

func (n *note) Answered(action string, _ time.Duration, err error, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if errors.Is(err, api.ErrThrottled) {
		n.waits[action] = wait
	}
}

func TestPacerIsTold(t *testing.T) {
	n := &note{waits: map[string]time.Duration{}, closed: "ModifyRouteEntry"}
	r := newRig(t, func(c *Config) { c.Pacer = n })
	r.sim.Fault(alisim.Fault{Action: batchCreate, Code: "Throttling.User", RetryAfter: 700 * time.Millisecond})
	isKind(t, r.apply(t, creates(0, 1)...)[0], api.ErrThrottled)
	if got := n.waits[batchCreate]; got != 700*time.Millisecond || len(n.waits) != 1 {
		t.Errorf("the pacer was told %v", n.waits)
	}
	r.done(t, creates(0, 1)...)
	was := route(0, 0, 0)
	isKind(t, r.apply(t, api.Change{Verb: api.Replace, Route: route(0, 0, 1), Was: &was})[0], api.ErrThrottled)
	if got := r.calls("ModifyRouteEntry"); got != 0 {
		t.Errorf("%d calls that the pacer did not let pass", got)
	}
}
