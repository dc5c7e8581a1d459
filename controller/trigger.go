package controller

import (
	"context"
	"time"
)

// trigger turns watch events and time into one question: shall a pass start now? Events only
// bring the next pass forward; what it does is decided from a full snapshot.
type trigger struct {
	events <-chan struct{}
	quiet  time.Duration
}

func newTrigger(events <-chan struct{}, quiet time.Duration) *trigger {
	return &trigger{events: events, quiet: quiet}
}

// next waits until delay has passed or an event came, and in the second case until they end,
// since events seldom come alone. It returns false when ctx has ended.
func (t *trigger) next(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case _, open := <-t.events:
		if !open {
			t.events = nil // the watch ended with its context, or will not come back: time goes on
			return t.next(ctx, delay)
		}
		t.gather(ctx)
	}
	return ctx.Err() == nil
}

// company is how many quiet times are waited at most for events to end.
const company = 40

// gather takes the events that follow, until a quiet time has passed without one.
func (t *trigger) gather(ctx context.Context) {
	for range company {
		quiet := time.NewTimer(t.quiet)
		select {
		case <-ctx.Done():
			quiet.Stop()
			return
		case <-t.events:
			quiet.Stop()
			pause(ctx, t.quiet)
		case <-quiet.C:
			return
		}
	}
}

// pending reports whether an event waits for the next pass.
func (t *trigger) pending() bool { return len(t.events) > 0 }
