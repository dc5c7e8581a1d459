package leader

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
)

// TTL is how long etcd keeps a lease that is not renewed, and so about how long nobody
// leads after a leader died.
const TTL = 15 * time.Second

// Etcd elects by keys below a prefix in etcd: each candidate puts one under its lease, and
// who has the oldest leads. It does not use etcd's own concurrency.Election, whose
// Campaign may report leadership to a candidate that lost its lease, and with it its key,
// while it waited (seen with client 3.6: revoke the lease of the candidate, let the leader
// resign).
type Etcd struct {
	client *clientv3.Client
	prefix string
	name   string
	ttl    time.Duration
	boot   func() time.Duration // time since boot, suspended time included
}

// NewEtcd returns the elector of the cluster's controller with this name. The caller keeps
// and closes the client. ttl is in whole seconds, at least etcd's shortest lease; 0 is [TTL].
func NewEtcd(client *clientv3.Client, cluster, name string, ttl time.Duration) *Etcd {
	if ttl == 0 {
		ttl = TTL
	}
	return &Etcd{client: client, prefix: registry.LeaderPrefix(cluster), name: name, ttl: ttl, boot: sinceBoot}
}

// Campaign stands until this controller leads. A candidate that loses its lease while it
// waits stands again, as the last in line.
func (e *Etcd) Campaign(ctx context.Context) (Lease, error) {
	for {
		s, err := e.openSession(ctx)
		if err != nil {
			return nil, err
		}
		//nolint:contextcheck // what a candidate does ends with its session, which ends with ctx
		if err = s.stand(); err == nil {
			return s, nil
		}
		withdraw, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.ttl/3)
		_ = s.Resign(withdraw) // an error means that the lease runs out by itself
		cancel()
		if !errors.Is(err, errLost) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// openSession gets a lease and starts what holds it.
func (e *Etcd) openSession(ctx context.Context) (*session, error) {
	call, cancel := etcd.Call(ctx)
	defer cancel()
	sent := e.boot()
	grant, err := e.client.Grant(call, int64((e.ttl+time.Second-1)/time.Second))
	if err != nil {
		return nil, etcd.WriteError(call, e.client, "stand for leadership", err)
	}
	s := &session{elector: e, lease: grant.ID, ttl: time.Duration(grant.TTL) * time.Second}
	s.start(ctx, sent)
	return s, nil
}

// stand puts the candidate's key under the lease and waits until it leads.
func (s *session) stand() error {
	if err := s.putKey(); err != nil {
		return s.why(err)
	}
	s.running.Go(s.guard)
	return s.why(s.awaitTurn())
}

func (s *session) putKey() error {
	ctx, cancel := etcd.Call(s.ctx)
	defer cancel()
	e := s.elector
	key := fmt.Sprintf("%s%016x", e.prefix, int64(s.lease))
	put, err := e.client.Put(ctx, key, e.name, clientv3.WithLease(s.lease))
	if err != nil {
		return etcd.WriteError(ctx, e.client, "stand for leadership", err)
	}
	s.term = api.Term{Key: key, Revision: put.Header.Revision, Leader: e.name}
	return nil
}

// awaitTurn waits until no candidate is older, and has that and the existence of its own key
// proven in one transaction.
func (s *session) awaitTurn() error {
	for {
		older, revision, err := s.olderCandidate()
		if err != nil || older == "" {
			return err
		}
		if err := s.awaitDeletion(older, revision); err != nil {
			return err
		}
	}
}

// why returns nil only while the session holds, and its end rather than what came of that.
func (s *session) why(err error) error {
	if s.Remaining() == 0 {
		return fmt.Errorf("stand for leadership: %w", context.Cause(s.ctx))
	}
	return err
}

// olderCandidate returns the key of the next older candidate, empty when there is none, and the
// revision at which that was so. Without its own key it ends the session.
func (s *session) olderCandidate() (older string, revision int64, err error) {
	ctx, cancel := etcd.Call(s.ctx)
	defer cancel()
	before := append(clientv3.WithLastCreate(), clientv3.WithMaxCreateRev(s.term.Revision-1))
	resp, err := s.elector.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(s.term.Key), "=", s.term.Revision)).
		Then(clientv3.OpGet(s.elector.prefix, before...)).
		Commit()
	switch {
	case err != nil:
		return "", 0, etcd.ReadError(ctx, s.elector.client, "see who leads", err)
	case !resp.Succeeded:
		s.end(errLost)
		return "", 0, errLost
	}
	if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		older = string(kvs[0].Key)
	}
	return older, resp.Header.Revision, nil
}

// awaitDeletion waits until the key is deleted after the revision. It also returns nil when the
// watch breaks, after a while: then whoever asks must ask again.
func (s *session) awaitDeletion(key string, revision int64) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(s.ctx))
	defer cancel()
	for resp := range s.elector.client.Watch(ctx, key, clientv3.WithRev(revision+1)) {
		for _, event := range resp.Events {
			if event.Type == clientv3.EventTypeDelete {
				return nil
			}
		}
	}
	return etcd.Pause(s.ctx, time.Second)
}
