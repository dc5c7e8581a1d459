package controller

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/api"
)

// Board keeps the latest status at hand for those who ask, on every replica, leading or not.
// When the registry does not answer it goes on showing what it last saw, and says so.
type Board struct {
	cluster  string
	replica  api.Replica
	registry Registry
	refresh  time.Duration
	log      *slog.Logger
	latest   atomic.Pointer[api.Status]
}

// NewBoard builds a board; call Run once. refresh is the longest age of what it shows.
// The replica leads when the last pass was published under its name.
func NewBoard(cluster string, replica api.Replica, reg Registry, refresh time.Duration, log *slog.Logger) *Board {
	return &Board{
		cluster: cluster, replica: replica, registry: reg, refresh: refresh, log: log,
	}
}

// Run reads the registry whenever it changes, until ctx ends; then it returns nil.
func (b *Board) Run(ctx context.Context) error {
	wake := newTrigger(b.registry.Watch(ctx, api.AreaHosts, api.AreaRoutes, api.AreaConfig, api.AreaPass), 50*time.Millisecond)
	var delay time.Duration
	for wake.await(ctx, delay) {
		delay = b.refresh
		if err := b.refreshStatus(ctx); err != nil && ctx.Err() == nil {
			delay = min(delay, time.Second)
		}
	}
	return nil
}

func (b *Board) refreshStatus(ctx context.Context) error {
	snap, err := b.registry.Snapshot(ctx)
	if err != nil {
		if before := b.latest.Load(); before != nil {
			if before.Registry.Reachable {
				b.log.Warn("the registry does not answer; showing what was read last", api.KeyError, err)
			}
			stale := *before
			stale.Registry.Reachable, stale.Registry.Problem = false, err.Error()
			b.latest.Store(&stale)
		}
		return err
	}
	s := StatusOf(b.cluster, snap)
	s.Registry.ReadAt = time.Now().UTC()
	s.Replica = b.replica
	s.Replica.Leads = snap.Pass != nil && snap.Pass.Term.Leader == b.replica.Name
	b.latest.Store(&s)
	return nil
}

// Status returns the latest status. It fails with api.ErrUnreachable until the registry has
// answered once. The document is shared: callers do not change it.
func (b *Board) Status() (api.Status, error) {
	s := b.latest.Load()
	if s == nil {
		return api.Status{}, fmt.Errorf("status: the registry has not answered since this controller started: %w", api.ErrUnreachable)
	}
	return *s, nil
}
