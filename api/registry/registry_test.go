package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcdtest"
	"github.com/sealane/sealane/api/registry/registrytest"
)

func TestRegistry(t *testing.T) {
	s := etcdtest.Start(t)
	n := 0
	registrytest.Run(t, func(t *testing.T) registrytest.Subject {
		n++
		return subject(t, s.Client, fmt.Sprintf("test-%d", n))
	})
}

// subject is a registry in a cluster of its own.
func subject(t *testing.T, client *clientv3.Client, cluster string) registrytest.Subject {
	root := strings.TrimSuffix(registry.LeaderPrefix(cluster), "leader/")
	put := func(key, value string) {
		t.Helper()
		if _, err := client.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	var leads string
	return registrytest.Subject{
		Registry: registry.New(client, cluster),
		Lead: func(name string) api.Term {
			t.Helper()
			if leads != "" {
				if _, err := client.Delete(t.Context(), leads); err != nil {
					t.Fatal(err)
				}
			}
			leads = registry.LeaderPrefix(cluster) + name
			put(leads, name)
			resp, err := client.Get(t.Context(), leads)
			if err != nil {
				t.Fatal(err)
			}
			return api.Term{Key: leads, Revision: resp.Kvs[0].CreateRevision, Leader: name}
		},
		Garble: func(key string, newer bool) {
			t.Helper()
			value := "}{"
			if newer {
				value = `{"v":2}`
			}
			put(root+key, value)
		},
		Expire: func(id api.InstanceID) { revoke(t, client, root+"alive/"+string(id)) },
	}
}

// revoke ends the lease that a key lies under.
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

// awake waits for a wake, and none waits for a time without one.
func awake(t *testing.T, wake <-chan struct{}, after string) {
	t.Helper()
	select {
	case <-wake:
	case <-time.After(30 * time.Second):
		t.Fatalf("no wake after %s", after)
	}
}

func drain(wake <-chan struct{}) {
	for {
		select {
		case <-wake:
		case <-time.After(100 * time.Millisecond):
			return
		}
	}
}

func report(id string) api.Report {
	return api.Report{Instance: api.InstanceID(id), Name: id}
}

func mustReport(t *testing.T, r *registry.Registry, id string) {
	t.Helper()
	if _, err := r.Report(t.Context(), report(id)); err != nil {
		t.Fatal(err)
	}
}

func TestWatchSurvivesCompaction(t *testing.T) {
	s := etcdtest.Start(t)
	r := registry.New(s.Client, "test")
	wake := r.Watch(t.Context(), api.AreaHosts)
	awake(t, wake, "the start")
	for i := range 50 {
		mustReport(t, r, fmt.Sprintf("i-%d", i))
	}
	snapshot, err := r.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Compact(t.Context(), snapshot.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	drain(wake)
	mustReport(t, r, "i-new")
	awake(t, wake, "a report after the compaction")
}

func TestWatchSurvivesRestart(t *testing.T) {
	s := etcdtest.Start(t)
	r := registry.New(s.Client, "test")
	mustReport(t, r, "i-a")
	wake := r.Watch(t.Context(), api.AreaHosts)
	awake(t, wake, "the start")
	drain(wake)

	s.Stop()
	s.Restart()
	awake(t, wake, "the restart")
	drain(wake)
	mustReport(t, r, "i-b")
	awake(t, wake, "a report after the restart")
	drain(wake)

	// An etcd that lost its data begins at revision 1: a watch that waited for its former
	// revision would sleep through everything that happens now.
	s.Stop()
	s.Lose()
	s.Restart()
	awake(t, wake, "the loss of all data")
	drain(wake)
	mustReport(t, r, "i-c")
	awake(t, wake, "a report after the loss")
}

func TestKeepAliveSurvivesRestart(t *testing.T) {
	s := etcdtest.Start(t)
	r := registry.New(s.Client, "test")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.KeepAlive(ctx, "i-a", "boot", 2*time.Second) }()
	alive := func() bool {
		mustReport(t, r, "i-a")
		snapshot, err := r.Snapshot(t.Context())
		return err == nil && len(snapshot.Hosts) == 1 && snapshot.Hosts[0].Life == api.LifeAlive
	}
	eventually(t, "alive at first", alive)
	s.Stop()
	s.Lose()
	s.Restart()
	eventually(t, "alive again after etcd lost everything", alive)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("KeepAlive: %v", err)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("never %s", what)
		}
	}
}

func TestSnapshotOfManyPages(t *testing.T) {
	s := etcdtest.Start(t)
	root := "/sealane/test/v1/"
	var ops []clientv3.Op
	for i := range 1200 {
		id := fmt.Sprintf("i-%04d", i)
		ops = append(ops, clientv3.OpPut(root+"hosts/"+id, fmt.Sprintf(`{"v":1,"instance":%q,"ip":""}`, id)))
		if len(ops) == 100 {
			if _, err := s.Client.Txn(t.Context()).Then(ops...).Commit(); err != nil {
				t.Fatal(err)
			}
			ops = nil
		}
	}
	snapshot, err := registry.New(s.Client, "test").Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(snapshot.Hosts) != 1200 || !snapshot.Complete() {
		t.Fatalf("%d hosts, want 1200; unreadable: %v", len(snapshot.Hosts), snapshot.Unreadable)
	}
}

func TestUnreachable(t *testing.T) {
	s := etcdtest.Start(t)
	r := registry.New(s.Client, "test")
	mustReport(t, r, "i-a")
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := r.Snapshot(ctx)
	if !errors.Is(err, api.ErrUnreachable) || errors.Is(err, api.ErrUnknown) {
		t.Errorf("Snapshot: %v, want %v", err, api.ErrUnreachable)
	}
	want := "read the registry: etcd at " + s.Endpoints[0] + " does not answer: dial tcp "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "connection refused") {
		t.Errorf("Snapshot: %v\nwant %s...: connection refused", err, want)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := r.CreateConfig(ctx, validConfig()); !errors.Is(err, api.ErrUnreachable) || !errors.Is(err, api.ErrUnknown) {
		t.Errorf("CreateConfig: %v, want %v and %v", err, api.ErrUnreachable, api.ErrUnknown)
	}
}

func validConfig() api.Config {
	c := api.DefaultConfig()
	c.Pools = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	return c
}
