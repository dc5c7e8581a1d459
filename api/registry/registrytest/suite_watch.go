package registrytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
)

// keepAlive runs KeepAlive of i-a until stop is called.
func keepAlive(t *testing.T, s Subject, boot string, ttl time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.KeepAlive(ctx, "i-a", boot, ttl) }()
	return func() {
		t.Helper()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("KeepAlive: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("KeepAlive does not end with its context")
		}
	}
}

func testLife(t *testing.T, s Subject) {
	r := host("i-a", "10.0.0.0/24")
	mustReport(t, s, r)
	wantHost(t, s, "i-a", api.LifeRegistered)
	stop := keepAlive(t, s, "boot-1", time.Minute)
	if h := wantHost(t, s, "i-a", api.LifeAlive); time.Since(h.Since).Abs() > time.Minute {
		t.Errorf("alive since %s", h.Since)
	}
	stop()
	wantHost(t, s, "i-a", api.LifeAlive)
	s.Expire("i-a")
	wantHost(t, s, "i-a", api.LifeSilent)
	wantClaims(t, s, "10.0.0.0/24 i-a")
	r.Left = true
	mustReport(t, s, r)
	wantHost(t, s, "i-a", api.LifeLeft)
	if err := s.KeepAlive(t.Context(), "a/b", "boot-1", time.Minute); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("KeepAlive of a strange id: %v, want %v", err, api.ErrInvalid)
	}
}

func testPresenceReturns(t *testing.T, s Subject) {
	mustReport(t, s, host("i-a"))
	stop := keepAlive(t, s, "boot-1", 2*time.Second)
	wantHost(t, s, "i-a", api.LifeAlive)
	s.Expire("i-a")
	wantHost(t, s, "i-a", api.LifeSilent)
	wantHost(t, s, "i-a", api.LifeAlive)
	stop()
	wantHost(t, s, "i-a", api.LifeSilent)
}

func testPresenceRestart(t *testing.T, s Subject) {
	mustReport(t, s, host("i-a"))
	stop := keepAlive(t, s, "boot-1", time.Minute)
	first := wantHost(t, s, "i-a", api.LifeAlive)
	stop()
	stop = keepAlive(t, s, "boot-1", time.Minute)
	if h := wantHost(t, s, "i-a", api.LifeAlive); !h.Since.Equal(first.Since) {
		t.Errorf("agent restarted: alive since %s, want %s", h.Since, first.Since)
	}
	stop()
	stop = keepAlive(t, s, "boot-2", time.Minute)
	defer stop()
	eventually(t, func() bool {
		return wantHost(t, s, "i-a", api.LifeAlive).Since.After(first.Since)
	}, func() string { return "host restarted: it is still alive since its former start" })
}

func testUnreadable(t *testing.T, s Subject) {
	mustReport(t, s, host("i-a", "10.0.0.0/24"))
	keys := []string{"config", "hosts/i-b", "pass", "routes/10.0.0.0_24", "subnets/10.3.0.0_16"}
	for i, key := range keys {
		s.Garble(key, i%2 == 0)
	}
	snapshot := mustSnapshot(t, s)
	got := map[string]bool{}
	for _, u := range snapshot.Unreadable {
		for _, key := range keys {
			if len(u.Key) > len(key) && u.Key[len(u.Key)-len(key):] == key {
				got[key] = true
			}
		}
	}
	if snapshot.Complete() || len(got) != len(keys) || len(snapshot.Unreadable) != len(keys) {
		t.Errorf("unreadable: %v, want %v", snapshot.Unreadable, keys)
	}
	if len(snapshot.Hosts) != 1 || len(snapshot.Claims) != 1 || snapshot.Config != nil || snapshot.Pass != nil {
		t.Errorf("what can be read: %+v", snapshot)
	}
}

// awake waits for a wake.
func awake(t *testing.T, wake <-chan struct{}, after string) {
	t.Helper()
	select {
	case _, ok := <-wake:
		if !ok {
			t.Fatalf("the watch ended after %s", after)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no wake after %s", after)
	}
}

func testWatchAreas(t *testing.T, s Subject) {
	term := s.Lead("one")
	watches := map[api.Area]<-chan struct{}{}
	for _, a := range []api.Area{api.AreaHosts, api.AreaRoutes, api.AreaConfig, api.AreaPass} {
		watches[a] = s.Watch(t.Context(), a)
		drain(t, watches[a])
	}
	all := s.Watch(t.Context())
	drain(t, all)
	for _, step := range []struct {
		what  string
		do    func() error
		wakes []api.Area
	}{
		{"a report", func() error { _, err := s.Report(t.Context(), host("i-a", "10.0.0.0/24")); return err }, []api.Area{api.AreaHosts}},
		{"a configuration", func() error { return s.PutConfig(t.Context(), config()) }, []api.Area{api.AreaConfig}},
		{"a publication", func() error {
			return s.Publish(t.Context(), term, api.Publication{Routes: []api.RouteStatus{status("10.0.0.0/24", api.StageWanted)}})
		}, []api.Area{api.AreaRoutes, api.AreaPass}},
		{"a presence", func() error {
			stop := keepAlive(t, s, "b", time.Minute)
			wantHost(t, s, "i-a", api.LifeAlive)
			stop()
			return nil
		}, []api.Area{api.AreaHosts}},
		{"a lost presence", func() error { s.Expire("i-a"); return nil }, []api.Area{api.AreaHosts}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		for _, a := range step.wakes {
			awake(t, watches[a], fmt.Sprintf("%s, watching %s", step.what, a))
		}
		awake(t, all, step.what)
		drain(t, all)
		for a, wake := range watches {
			if n := drain(t, wake); n > 0 && !slices.Contains(step.wakes, a) {
				t.Errorf("%s woke who watches %s", step.what, a)
			}
		}
	}
}

// drain takes wakes until there were none for a while, and counts them.
func drain(t *testing.T, wake <-chan struct{}) (n int) {
	t.Helper()
	for {
		select {
		case _, ok := <-wake:
			if !ok {
				t.Fatal("the watch ended")
			}
			n++
		case <-time.After(50 * time.Millisecond):
			return n
		}
	}
}

func testWatchEnds(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	wake := s.Watch(ctx, api.AreaHosts)
	witness := s.Watch(ctx, api.AreaHosts)
	awake(t, wake, "the start")
	for i := range 20 {
		mustReport(t, s, host(api.InstanceID(fmt.Sprintf("i-%d", i))))
	}
	drain(t, witness) // by now the other has been told, too, and nobody took it
	awake(t, wake, "20 reports")
	if n := drain(t, wake); n > 5 {
		t.Errorf("%d wakes that nobody waited for", n)
	}
	cancel()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case _, ok := <-wake:
			if !ok {
				return
			}
		case <-deadline:
			t.Fatal("the watch does not end with its context")
		}
	}
}

func testContext(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Snapshot: %v, want %v", err, context.Canceled)
	}
	if _, err := s.Report(ctx, host("i-a")); !errors.Is(err, context.Canceled) {
		t.Errorf("Report: %v, want %v", err, context.Canceled)
	}
	if err := s.KeepAlive(ctx, "i-a", "boot", time.Minute); err != nil {
		t.Errorf("KeepAlive: %v", err)
	}
}
