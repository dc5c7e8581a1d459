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

// next waits until delay has passed or an event came, and in the second case a little longer,
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
		pause(ctx, t.quiet)
		t.drain()
	}
	return ctx.Err() == nil
}

// drain takes an event that arrived during the quiet time: the pass that starts now sees it.
func (t *trigger) drain() {
	select {
	case <-t.events:
	default:
	}
}
