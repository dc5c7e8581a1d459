package pace

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/cloudtest"
)

func TestConformance(t *testing.T) {
	cloudtest.Run(t, func(*testing.T) cloudtest.Subject {
		fake := cloudtest.New(cloudtest.Small())
		limits := DefaultLimits()
		limits.Reads, limits.Applies = rate.Inf, rate.Inf
		return cloudtest.Subject{Tables: New(fake, limits), Gates: fake, Hand: fake}
	})
}

// within runs a test in a bubble with a fake that misbehaves behind default limits.
func within(t *testing.T, faults cloudtest.Faults, test func(t *testing.T, fake *cloudtest.Fake, tables cloud.Tables)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake := cloudtest.New(cloudtest.Small())
		fake.Break(faults)
		test(t, fake, New(fake, DefaultLimits()))
	})
}

func changes(n int) []api.Change {
	w := cloudtest.Small()
	var list []api.Change
	for i := range n {
		list = append(list, api.Change{Verb: api.Create, Reason: api.ReasonNewSubnet, Route: api.Route{
			Table: w.Network.Tables[0].ID, NextHop: string(w.Instances[0].ID),
			Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 24),
			Mark:        api.Mark{Cluster: "c", Host: w.Instances[0].ID},
		}})
	}
	return list
}

func TestReadsKeepTheRate(t *testing.T) {
	within(t, cloudtest.Faults{}, func(t *testing.T, _ *cloudtest.Fake, tables cloud.Tables) {
		start := time.Now()
		for range 25 {
			if _, err := tables.Network(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// A burst of 5, then 20 at 2 a second.
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("25 reads took %s, want 10s", took)
		}
		if _, err := tables.Instances(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Error("another kind of call waited for the same bucket")
		}
	})
}

func TestReadIsRepeated(t *testing.T) {
	within(t, cloudtest.Faults{Failing: 3}, func(t *testing.T, _ *cloudtest.Fake, tables cloud.Tables) {
		start := time.Now()
		if _, err := tables.Network(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Pauses of at most 1, 2 and 4 s, at least half of that.
		if took := time.Since(start); took < 3500*time.Millisecond || took > 7*time.Second {
			t.Errorf("took %s, want between 3.5s and 7s", took)
		}
	})
}

func TestReadGivesUp(t *testing.T) {
	within(t, cloudtest.Faults{Failing: 4}, func(t *testing.T, _ *cloudtest.Fake, tables cloud.Tables) {
		if _, err := tables.Network(t.Context()); !errors.Is(err, api.ErrUnreachable) {
			t.Errorf("got %v, want ErrUnreachable after 4 tries", err)
		}
	})
}

func TestThrottledAndDeniedEndAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		faults cloudtest.Faults
		want   error
	}{
		"throttled": {cloudtest.Faults{Throttled: 1}, api.ErrThrottled},
		"denied":    {cloudtest.Faults{Denied: true}, api.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, test.faults, func(t *testing.T, _ *cloudtest.Fake, tables cloud.Tables) {
				start := time.Now()
				if _, err := tables.Network(t.Context()); !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if time.Since(start) != 0 {
					t.Error("it waited")
				}
			})
		})
	}
}

func TestBusyChangesAreRepeated(t *testing.T) {
	within(t, cloudtest.Faults{Busy: 2}, func(t *testing.T, fake *cloudtest.Fake, tables cloud.Tables) {
		want := changes(3)
		results, err := tables.Apply(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.Err != nil || r.Change.Route != want[i].Route {
				t.Errorf("result %d is %s: %v", i, r.Change, r.Err)
			}
		}
		if sent := len(fake.Sent()); sent != 5 {
			t.Errorf("%d changes sent, want 3 and the 2 busy ones again", sent)
		}
	})
}

func TestBusyForever(t *testing.T) {
	within(t, cloudtest.Faults{Busy: 100}, func(t *testing.T, fake *cloudtest.Fake, tables cloud.Tables) {
		results, err := tables.Apply(t.Context(), changes(1))
		if err != nil || !errors.Is(results[0].Err, api.ErrBusy) {
			t.Errorf("got %v, %v; want a busy result", results, err)
		}
		if sent := len(fake.Sent()); sent != DefaultLimits().Tries {
			t.Errorf("sent %d times, want %d", sent, DefaultLimits().Tries)
		}
	})
}

func TestNoRepetitionOfOtherChanges(t *testing.T) {
	for name, faults := range map[string]cloudtest.Faults{
		"unknown":   {Lost: 1},
		"throttled": {Throttled: 1},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, faults, func(t *testing.T, fake *cloudtest.Fake, tables cloud.Tables) {
				results, err := tables.Apply(t.Context(), changes(1))
				if err != nil || results[0].Err == nil {
					t.Fatalf("got %v, %v; want a result with an error", results, err)
				}
				if sent := len(fake.Sent()); sent != 1 {
					t.Errorf("sent %d times, want once", sent)
				}
			})
		})
	}
}

func TestPausesEndWithTheContext(t *testing.T) {
	within(t, cloudtest.Faults{Busy: 100, Failing: 0}, func(t *testing.T, _ *cloudtest.Fake, tables cloud.Tables) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		results, err := tables.Apply(ctx, changes(1))
		if err != nil || !errors.Is(results[0].Err, api.ErrBusy) {
			t.Errorf("got %v, %v; want the busy result it has", results, err)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("took %s, want the context's 100ms", took)
		}
	})
}

func TestTokenThatWouldComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := cloudtest.New(cloudtest.Small())
		tables := New(fake, Limits{Reads: 0.001, Burst: 1, Tries: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := tables.Network(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := tables.Network(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
	})
}
