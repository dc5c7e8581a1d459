package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/cloudtest"
)

func TestConformance(t *testing.T) {
	cloudtest.Run(t, func(*testing.T) cloudtest.Subject {
		fake := cloudtest.New(cloudtest.Small())
		return cloudtest.Subject{Tables: Patient(fake), Gates: fake, Hand: fake}
	})
}

// within runs a test in a bubble with a fake that misbehaves behind a patient reader.
func within(t *testing.T, faults cloudtest.Faults, test func(t *testing.T, tables cloud.Tables)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake := cloudtest.New(cloudtest.Small())
		fake.Break(faults)
		test(t, Patient(fake))
	})
}

func TestReadIsRepeated(t *testing.T) {
	within(t, cloudtest.Faults{Failing: tries - 1}, func(t *testing.T, tables cloud.Tables) {
		start := time.Now()
		if _, err := tables.Network(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Pauses of at most 0.5, 1 and 2 s, at least half of that.
		if took := time.Since(start); took < 1750*time.Millisecond || took > 3500*time.Millisecond {
			t.Errorf("took %s, want between 1.75s and 3.5s", took)
		}
	})
}

func TestReadGivesUp(t *testing.T) {
	within(t, cloudtest.Faults{Failing: tries}, func(t *testing.T, tables cloud.Tables) {
		if _, err := tables.Routes(t.Context(), "vtb-1"); !errors.Is(err, api.ErrUnreachable) {
			t.Errorf("got %v, want ErrUnreachable", err)
		}
	})
}

func TestOtherErrorsEndAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		faults cloudtest.Faults
		want   error
	}{
		"throttled": {cloudtest.Faults{Throttled: 1}, api.ErrThrottled},
		"denied":    {cloudtest.Faults{Denied: true}, api.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, test.faults, func(t *testing.T, tables cloud.Tables) {
				start := time.Now()
				if _, err := tables.Instances(t.Context(), nil); !errors.Is(err, test.want) || time.Since(start) != 0 {
					t.Errorf("got %v after %s, want %v at once", err, time.Since(start), test.want)
				}
			})
		})
	}
}

func TestPausesEndWithTheContext(t *testing.T) {
	within(t, cloudtest.Faults{Failing: 100}, func(t *testing.T, tables cloud.Tables) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := tables.Network(ctx); !errors.Is(err, api.ErrUnreachable) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %s, want the answer it has after 100ms", err, time.Since(start))
		}
	})
}
