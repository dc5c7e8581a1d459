package leader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// errLost ends a session whose lease is lost. A candidate then stands again.
var errLost = fmt.Errorf("etcd no longer holds the lease: %w", api.ErrDeposed)

// session holds a lease in etcd, first of a candidate, then of the leader.
type session struct {
	elector *Etcd
	lease   clientv3.LeaseID
	ttl     time.Duration // as etcd granted it
	term    api.Term

	ctx      context.Context
	end      context.CancelCauseFunc
	deadline atomic.Int64 // on the elector's clock, in nanoseconds
	running  sync.WaitGroup
}

// start runs what holds the session: renewals and the clock.
func (s *session) start(ctx context.Context, sent time.Duration) {
	s.ctx, s.end = context.WithCancelCause(ctx)
	s.extend(sent)
	s.running.Go(s.renewLease)
	s.running.Go(s.expire)
}

// extend sets the deadline by the moment an acknowledged renewal was sent: etcd's own TTL
// began later. The margin of 30 % is for what is on its way to the cloud at the end, and
// for clocks that run at different speeds.
func (s *session) extend(sent time.Duration) {
	s.deadline.Store(int64(sent + s.ttl - s.ttl*3/10))
}

// renewLease keeps the lease. A renewal that fails is repeated soon, until the deadline.
func (s *session) renewLease() {
	wait := s.ttl / 3
	for etcd.Pause(s.ctx, wait) == nil {
		ctx, cancel := context.WithTimeout(s.ctx, s.ttl/3)
		sent := s.elector.boot()
		_, err := s.elector.client.KeepAliveOnce(ctx, s.lease)
		err = etcd.WriteError(ctx, s.elector.client, "renew the leader's lease", err)
		cancel()
		switch {
		case errors.Is(err, api.ErrNotFound):
			s.end(errLost)
			return
		case err != nil:
			wait = s.ttl / 15
		case s.Remaining() > 0: // an answer after the deadline does not raise the dead
			s.extend(sent)
			wait = s.ttl / 3
		}
	}
}

// expire ends the session at its deadline. It looks at the clock often, since the timers
// of a process stand still while the machine is suspended.
func (s *session) expire() {
	for s.Remaining() > 0 {
		if etcd.Pause(s.ctx, min(s.Remaining(), s.ttl/60)) != nil {
			return
		}
	}
}

// guard ends the session as soon as its key is deleted: a revoked lease must not lead on
// until its next renewal.
func (s *session) guard() {
	for s.ctx.Err() == nil {
		_, revision, err := s.olderCandidate()
		if err != nil {
			_ = etcd.Pause(s.ctx, time.Second)
			continue
		}
		_ = s.awaitDeletion(s.term.Key, revision)
	}
}

func (s *session) Context() context.Context { return s.ctx }
func (s *session) Term() api.Term           { return s.term }

func (s *session) Remaining() time.Duration {
	if s.ctx.Err() != nil {
		return 0
	}
	left := time.Duration(s.deadline.Load()) - s.elector.boot()
	if left <= 0 {
		s.end(fmt.Errorf("the lease was not renewed in time: %w", errLost))
		return 0
	}
	return left
}

// Resign gives the lease back, and with it goes the key.
func (s *session) Resign(ctx context.Context) error {
	s.end(fmt.Errorf("resigned: %w", api.ErrDeposed))
	s.running.Wait()
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	_, err := s.elector.client.Revoke(ctx, s.lease)
	err = etcd.WriteError(ctx, s.elector.client, "resign leadership", err)
	if errors.Is(err, api.ErrNotFound) {
		return nil // the lease has ended already
	}
	return err
}

// sinceBoot is the time since boot. Go's monotonic clock leaves out the time that the
// machine was suspended, in which etcd's lease runs on.
func sinceBoot() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		// Linux has had this clock since 2.6.39; the only other error is a bad pointer.
		panic("clock_gettime(CLOCK_BOOTTIME): " + err.Error())
	}
	return time.Duration(now.Nano())
}
