package controller

import (
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/controller/leader"
)

// Run campaigns and leads until ctx ends; then it returns nil. Losing the leadership, the
// registry or the cloud is a normal event: it is logged, and Run goes on.
func (c *Controller) Run(ctx context.Context) error {
	var failures int
	for ctx.Err() == nil {
		lease, err := c.elector.Campaign(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			failures++
			c.log.Warn("cannot campaign for the lead", api.KeyError, err)
			select {
			case <-ctx.Done():
			case <-time.After(retryDelay(err, failures)):
			}
			continue
		}
		failures = 0
		c.leadTerm(lease.Context(), lease) //nolint:contextcheck // a lease's context ends with the one it was campaigned for
		resign(ctx, lease)
	}
	return nil
}

// leadTerm makes passes until ctx, the lease's, ends.
func (c *Controller) leadTerm(ctx context.Context, lease leader.Lease) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.log.Info("leading", api.KeyTerm, lease.Term().Revision)
	c.metrics.leading(true)
	defer c.metrics.leading(false)

	wake := newTrigger(c.registry.Watch(ctx, api.AreaHosts, api.AreaConfig), c.config.Quiet)
	t := &term{Controller: c, lease: lease, news: wake.pending}
	var delay time.Duration // the first pass starts at once
	var failures int
	for wake.await(ctx, delay) {
		more, err := t.makePass(ctx)
		delay = max(0, time.Until(t.due))
		switch {
		case ctx.Err() != nil || errors.Is(err, api.ErrDeposed):
			cancel(err)
		case err != nil:
			failures++
			delay = min(c.config.Resync, retryDelay(err, failures))
			t.due = time.Now().Add(delay)
			c.log.Warn("pass ended early", api.KeyError, err, api.KeyDelay, delay.String())
		default:
			failures = 0
			if more {
				delay = 0
			}
		}
		c.metrics.passEnded(err)
	}
	c.log.Info("no longer leading", api.KeyTerm, lease.Term().Revision, api.KeyReason, context.Cause(ctx))
}

// resign gives the lead back even when ctx has ended, so that another replica need not wait
// for the lease to run out.
func resign(ctx context.Context, lease leader.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = lease.Resign(ctx) // an error means that the lease runs out by itself
}

// retryDelay is the wait after a failed pass or campaign: by the kind of error, doubled with
// each failure in a row, two minutes at most.
func retryDelay(err error, failures int) time.Duration {
	base := 5 * time.Second
	switch {
	case errors.Is(err, api.ErrBusy):
		base = time.Second
	case errors.Is(err, api.ErrThrottled), errors.Is(err, api.ErrDenied):
		base = 15 * time.Second
	case errors.Is(err, api.ErrUnreachable), errors.Is(err, api.ErrUnknown):
		base = 2 * time.Second
	}
	const longest = 2 * time.Minute
	for range failures - 1 {
		if base = 2 * base; base >= longest {
			return longest
		}
	}
	return base
}
