package leader

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// campaign wins the lead or fails the test.
func campaign(t *testing.T, e Elector) Lease {
	t.Helper()
	l, err := e.Campaign(t.Context())
	if err != nil {
		t.Fatalf("Campaign: %v", err)
	}
	t.Cleanup(func() { resign(t, l) })
	return l
}

func resign(t *testing.T, l Lease) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := l.Resign(ctx); err != nil && !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("Resign: %v", err)
	}
}

// won is how a campaign in the background ended.
type won struct {
	lease Lease
	err   error
}

// stand campaigns in the background.
func stand(t *testing.T, e Elector) <-chan won {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan won, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l, err := e.Campaign(ctx)
		result <- won{l, err}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return result
}

// leads waits for a campaign to be won.
func leads(t *testing.T, result <-chan won) Lease {
	t.Helper()
	select {
	case w := <-result:
		if w.err != nil {
			t.Fatalf("Campaign: %v", w.err)
		}
		t.Cleanup(func() { resign(t, w.lease) })
		return w.lease
	case <-time.After(patience):
		t.Fatal("nobody leads")
		return nil
	}
}

func waits(t *testing.T, result <-chan won, d time.Duration) {
	t.Helper()
	select {
	case w := <-result:
		t.Fatalf("Campaign returned %+v, want it to wait", w)
	case <-time.After(d):
	}
}

// deposed waits until the lease's context ends as it should.
func deposed(t *testing.T, l Lease, within time.Duration) {
	t.Helper()
	if l.Context().Err() == nil {
		select {
		case <-l.Context().Done():
		case <-time.After(within):
			t.Fatalf("the lease holds after %s", within)
		}
	}
	if cause := context.Cause(l.Context()); !errors.Is(cause, api.ErrDeposed) {
		t.Errorf("the lease ended with %v, want %v", cause, api.ErrDeposed)
	}
	if left := l.Remaining(); left != 0 {
		t.Errorf("%s remain of a lease that ended", left)
	}
}

// candidates waits until n keys stand for election.
func candidates(t *testing.T, client *clientv3.Client, n int) []string {
	t.Helper()
	deadline := time.After(patience)
	for {
		resp, err := client.Get(t.Context(), registry.LeaderPrefix("test"), clientv3.WithPrefix(),
			clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.Kvs) == n {
			var keys []string
			for _, kv := range resp.Kvs {
				keys = append(keys, string(kv.Key))
			}
			return keys
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%d candidates, want %d", len(resp.Kvs), n)
		}
	}
}

func revoke(t *testing.T, client *clientv3.Client, key string) {
	t.Helper()
	resp, err := client.Get(t.Context(), key)
	if err != nil || len(resp.Kvs) != 1 {
		t.Fatalf("get %s: %v, %v", key, resp, err)
	}
	if _, err := client.Revoke(t.Context(), clientv3.LeaseID(resp.Kvs[0].Lease)); err != nil {
		t.Fatal(err)
	}
}

func TestOneLeadsAndHandsOver(t *testing.T) {
	s := etcdtest.Start(t)
	first := campaign(t, NewEtcd(s.Client, "test", "one", 0))
	if left := first.Remaining(); left <= 0 || left > TTL*7/10 {
		t.Errorf("%s remain, want up to 70 %% of %s", left, TTL)
	}
	term := first.Term()
	if term.Leader != "one" || term.Revision <= 0 || candidates(t, s.Client, 1)[0] != term.Key {
		t.Errorf("term: %+v", term)
	}
	if err := registry.New(s.Client, "test").Publish(t.Context(), term, api.Publication{}); err != nil {
		t.Errorf("publish in the term: %v", err)
	}

	second := stand(t, NewEtcd(s.Client, "test", "two", 0))
	candidates(t, s.Client, 2)
	waits(t, second, 100*time.Millisecond)
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	deposed(t, first, 0)
	if next := leads(t, second).Term(); next.Revision <= term.Revision || next.Leader != "two" {
		t.Errorf("term %+v after %+v", next, term)
	}
	if err := registry.New(s.Client, "test").Publish(t.Context(), term, api.Publication{}); !errors.Is(err, api.ErrDeposed) {
		t.Errorf("publish in the former term: %v, want %v", err, api.ErrDeposed)
	}
}

func TestManyCandidatesOneLeads(t *testing.T) {
	s := etcdtest.Start(t)
	var leading, terms atomic.Int32
	done := make(chan error)
	const n = 8
	for i := range n {
		go func() {
			l, err := NewEtcd(s.Client, "test", fmt.Sprint(i), 0).Campaign(t.Context())
			if err != nil {
				done <- err
				return
			}
			if leading.Add(1) != 1 {
				t.Error("two lead at the same time")
			}
			terms.Add(1)
			leading.Add(-1)
			done <- l.Resign(t.Context())
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if terms.Load() != n {
		t.Errorf("%d terms, want %d", terms.Load(), n)
	}
	candidates(t, s.Client, 0)
}

func TestRevokedLeaseEndsLeadership(t *testing.T) {
	s := etcdtest.Start(t)
	l := campaign(t, NewEtcd(s.Client, "test", "one", time.Minute))
	revoke(t, s.Client, l.Term().Key)
	deposed(t, l, 10*time.Second) // well before the next renewal
}

func TestDeletedKeyEndsLeadership(t *testing.T) {
	s := etcdtest.Start(t)
	l := campaign(t, NewEtcd(s.Client, "test", "one", time.Minute))
	if _, err := s.Client.Delete(t.Context(), l.Term().Key); err != nil {
		t.Fatal(err)
	}
	deposed(t, l, 10*time.Second)
}

// A candidate whose lease is revoked while it waits has no key. When the leader resigns,
// nobody is older, and it must not take that for having won.
func TestCandidateWithoutKeyDoesNotLead(t *testing.T) {
	s := etcdtest.Start(t)
	first := campaign(t, NewEtcd(s.Client, "test", "one", time.Minute))
	second := stand(t, NewEtcd(s.Client, "test", "two", time.Minute))
	waiting := candidates(t, s.Client, 2)[1]
	revoke(t, s.Client, waiting)
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	term := leads(t, second).Term()
	if term.Key == waiting {
		t.Fatalf("it leads with the key that it lost: %+v", term)
	}
	if keys := candidates(t, s.Client, 1); keys[0] != term.Key {
		t.Errorf("it leads with %s, etcd holds %s", term.Key, keys[0])
	}
}

func TestLeadershipEndsBeforeTheLeaseWithoutEtcd(t *testing.T) {
	s := etcdtest.Start(t)
	const ttl = 4 * time.Second
	l := campaign(t, NewEtcd(s.Client, "test", "one", ttl))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop()
	}()
	// The last renewal was sent before now, so that etcd keeps the lease beyond now + ttl
	// at most; the leadership must be over by then.
	deposed(t, l, ttl)
	<-stopped
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := NewEtcd(s.Client, "test", "one", ttl).Campaign(ctx); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("Campaign without etcd: %v, want %v", err, api.ErrUnreachable)
	}
	s.Restart()
	if next := campaign(t, NewEtcd(s.Client, "test", "two", ttl)); next.Term().Revision <= l.Term().Revision {
		t.Errorf("term %+v after %+v", next.Term(), l.Term())
	}
}

// A leader that dies resigns nothing and renews nothing.
func TestDeadLeaderIsReplaced(t *testing.T) {
	s := etcdtest.Start(t)
	dead := s.Dial()
	first := campaign(t, NewEtcd(dead, "test", "one", 2*time.Second))
	second := stand(t, NewEtcd(s.Client, "test", "two", 2*time.Second))
	candidates(t, s.Client, 2)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if next := leads(t, second).Term(); next.Revision <= first.Term().Revision {
		t.Errorf("term %+v after %+v", next, first.Term())
	}
	deposed(t, first, 0) // it ended before the other began
}

// A machine that was suspended finds more time gone by than its timers counted.
func TestSuspendedLeaderEndsOnWaking(t *testing.T) {
	s := etcdtest.Start(t)
	e := NewEtcd(s.Client, "test", "one", time.Minute)
	var slept atomic.Int64
	e.boot = func() time.Duration { return sinceBoot() + time.Duration(slept.Load()) }
	l := campaign(t, e)
	if l.Remaining() < 30*time.Second {
		t.Fatalf("%s remain", l.Remaining())
	}
	slept.Store(int64(41 * time.Second))
	if l.Remaining() > 2*time.Second {
		t.Fatalf("%s remain after a suspension of 41 s", l.Remaining())
	}
	slept.Store(int64(43 * time.Second))
	deposed(t, l, 10*time.Second)
}

func TestRenewalsKeepTheLead(t *testing.T) {
	s := etcdtest.Start(t)
	l := campaign(t, NewEtcd(s.Client, "test", "one", 2*time.Second))
	select {
	case <-l.Context().Done():
		t.Fatalf("the lease ended: %v", context.Cause(l.Context()))
	case <-time.After(5 * time.Second):
	}
	if l.Remaining() <= 0 {
		t.Error("nothing remains")
	}
}

func TestCampaignEndsWithItsContext(t *testing.T) {
	s := etcdtest.Start(t)
	first := campaign(t, NewEtcd(s.Client, "test", "one", time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := NewEtcd(s.Client, "test", "two", time.Minute).Campaign(ctx)
		result <- err
	}()
	candidates(t, s.Client, 2)
	cancel()
	select {
	case err := <-result:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Campaign: %v, want %v", err, context.Canceled)
		}
	case <-time.After(patience):
		t.Fatal("Campaign does not end")
	}
	if keys := candidates(t, s.Client, 1); keys[0] != first.Term().Key {
		t.Errorf("%s still stands", keys[0])
	}
}
