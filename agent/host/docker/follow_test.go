package docker_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/host/docker"
)

// follow follows until the test ends. Each wake can be received once.
func follow(t *testing.T, c *docker.Client) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	wakes, ended := make(chan struct{}, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		c.Follow(ctx, func() { wakes <- struct{}{} })
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return wakes
}

func wantWake(t *testing.T, wakes <-chan struct{}, why string) {
	t.Helper()
	select {
	case <-wakes:
	case <-time.After(20 * time.Second):
		t.Fatalf("no wake: %s", why)
	}
}

// TestEvents replays a session on real engines: networks u1 and i1 made, containers c1 and c2
// started, c2 joined to u1 and taken off, both ended, the networks removed, SIGHUP.
func TestEvents(t *testing.T) {
	for _, recorded := range []string{"20.10.24-iptables", "28.5.2-iptables", "29.7.2-nftables"} {
		t.Run(recorded, func(t *testing.T) {
			f := newFake(t)
			f.start(t)
			wakes := follow(t, dial(t, f.socket))
			wantWake(t, wakes, "there is an engine")
			asked := <-f.asked
			if since := asked.Get("since"); !strings.Contains(since, ".") {
				t.Errorf("asked for events since %q", since)
			}
			matter := 0
			for line := range strings.Lines(read(t, recorded+".events.jsonl")) {
				f.events <- line
				if !strings.Contains(line, `"container", "from"`) || strings.Contains(line, `"status": "start"`) || strings.Contains(line, `"status": "die"`) {
					matter++
					wantWake(t, wakes, line)
				}
			}
			f.events <- `{"Type":"network","Action":"connect","Actor":{"Attributes":{"name":"host","type":"host"}}}`
			f.events <- `{"Type":"network","Action":"create","Actor":{"Attributes":{"name":"own","type":"bridge"}}}`
			wantWake(t, wakes, "a network made")
			if len(wakes) > 0 || matter < 12 {
				t.Errorf("%d events mattered, %d more wakes than that", matter, len(wakes))
			}
		})
	}
}

// TestComeback ends the engine and starts it anew, as a restart of dockerd does.
func TestComeback(t *testing.T) {
	f := newFake(t)
	wakes := follow(t, dial(t, f.socket))
	for range 2 {
		f.start(t)
		wantWake(t, wakes, "the engine is there")
		f.stop()
	}
	if len(wakes) > 0 {
		t.Error("an engine that left woke")
	}
	f.start(t)
	wantWake(t, wakes, "the engine is there")
	close(f.events) // hangs up, and at once on each who comes after
	wantWake(t, wakes, "the engine is there still")
}

// TestBackOff hangs up on everybody, and counts.
func TestBackOff(t *testing.T) {
	f := newFake(t)
	listener, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	var callers atomic.Int32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			callers.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	wakes := follow(t, dial(t, f.socket))
	select {
	case <-wakes:
		t.Error("woken by an engine that never answers")
	case <-time.After(time.Second):
	}
	// At 0, 0.25 and 0.75 s; net/http may repeat a call once.
	if n := callers.Load(); n < 1 || n > 6 {
		t.Errorf("%d calls in a second", n)
	}
}
