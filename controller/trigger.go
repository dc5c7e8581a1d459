package controller

import (
	"context"
	"time"
)

// trigger turns watch events and time into one question: is a pass to start now? Events only
// bring the next pass forward; what it does is decided from a full snapshot.
type trigger struct {
	events <-chan struct{}
	quiet  time.Duration
}

func newTrigger(events <-chan struct{}, quiet time.Duration) *trigger {
	return &trigger{events: events, quiet: quiet}
}

// await waits until delay has passed or an event came, and in the second case until they end,
// since events seldom come alone. It returns false when ctx has ended.
func (t *trigger) await(ctx context.Context, delay time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(delay):
	case _, open := <-t.events:
		if !open {
			t.events = nil // the watch ended with its context, or will not come back: time goes on
			return t.await(ctx, delay)
		}
		t.gather(ctx)
	}
	return ctx.Err() == nil
}

// maxQuietPeriods is how many quiet times are waited at most for events to end.
const maxQuietPeriods = 40

// gather takes the events that follow, until a quiet time has passed without one.
func (t *trigger) gather(ctx context.Context) {
	for range maxQuietPeriods {
		select {
		case <-ctx.Done():
			return
		case <-t.events:
			select {
			case <-ctx.Done():
			case <-time.After(t.quiet):
			}
		case <-time.After(t.quiet):
			return
		}
	}
}

// pending reports whether an event waits for the next pass.
func (t *trigger) pending() bool { return len(t.events) > 0 }
