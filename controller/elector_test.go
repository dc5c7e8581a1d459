package controller_test

import (
	"context"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/registrytest"
	"github.com/sealane/sealane/controller/leader"
)

// elector gives the lead to one at a time, within one process. The registry knows its terms.
type elector struct {
	registry *registrytest.Fake
	name     string
	shared   *elector // the one that holds the token and the present lease; nil in itself

	token chan struct{}
	now   *lease
}

func (e *elector) Campaign(ctx context.Context) (leader.Lease, error) {
	root := e.shared
	select {
	case root.token <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l := &lease{term: e.registry.Lead(e.name), free: func() { <-root.token }}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	root.now = l
	return l, nil
}

// lose ends the present lease at once, as if its time had run out.
func (e *elector) lose() { e.now.cancel(api.ErrDeposed) }

type lease struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	term   api.Term
	free   func()
}

func (l *lease) Context() context.Context { return l.ctx }
func (l *lease) Term() api.Term           { return l.term }

func (l *lease) Remaining() time.Duration {
	if l.ctx.Err() != nil {
		return 0
	}
	return 10 * time.Second
}

func (l *lease) Resign(context.Context) error {
	l.cancel(nil)
	l.free()
	return nil
}
