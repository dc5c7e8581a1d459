package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cmd/cli"
)

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		args string
		want int
	}{
		{"version", api.ExitOK},
		{"--no-such-flag", api.ExitUsage},
		{"no-such-command", api.ExitUsage},
		{"version surplus", api.ExitUsage},
		{"run", api.ExitUsage}, // without --etcd-endpoints
		{"leave --etcd-endpoints http://127.0.0.1:1 --log-level loud", api.ExitUsage},
		{"leave --etcd-endpoints http://127.0.0.1:1 --instance i-a --vpc vpc-1 --vswitch vsw-1 --ip 192.0.2.1", api.ExitUnreachable},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var out, messages bytes.Buffer
			s := cli.Streams{Out: &out, Err: &messages, Getenv: func(string) (string, bool) { return "", false }}
			if have := cli.Run(t.Context(), newRoot(), s, strings.Fields(tt.args)); have != tt.want {
				t.Errorf("exit code %d, want %d\n%s", have, tt.want, &messages)
			}
		})
	}
}

// TestListensFirst wants a taken address told before the agent asks anybody anything.
func TestListensFirst(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	asked := make(chan struct{}, 100)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer service.Close()
	state := filepath.Join(t.TempDir(), "state")
	var out, messages bytes.Buffer
	s := cli.Streams{Out: &out, Err: &messages, Getenv: func(string) (string, bool) { return "", false }}
	args := []string{"--etcd-endpoints", "http://127.0.0.1:1", "--metadata-url", service.URL, "--listen", taken.Addr().String(), "--state-dir", state}
	if code := cli.Run(t.Context(), newRoot(), s, args); code != api.ExitError || !strings.Contains(messages.String(), "--listen "+taken.Addr().String()) {
		t.Errorf("exit code %d, want %d\n%s", code, api.ExitError, &messages)
	}
	if _, err := os.Stat(state); len(asked) > 0 || err == nil {
		t.Errorf("asked %d times who it is, state directory: %v; want neither", len(asked), err)
	}
}

// TestAnotherCluster wants a host that is tended for one cluster left alone by an agent of
// another.
func TestAnotherCluster(t *testing.T) {
	state := t.TempDir()
	err := machine.New(machine.Options{StateDir: state}).RememberPeers(host.Peers{Cluster: "prod", VPC: "vpc-1", Instance: "i-a"})
	if err != nil {
		t.Fatal(err)
	}
	var out, messages bytes.Buffer
	s := cli.Streams{Out: &out, Err: &messages, Getenv: func(string) (string, bool) { return "", false }}
	args := []string{
		"--cluster", "test", "--etcd-endpoints", "http://127.0.0.1:1", "--state-dir", state,
		"--instance", "i-a", "--vpc", "vpc-1", "--vswitch", "vsw-1", "--ip", "192.0.2.1",
	}
	if code := cli.Run(t.Context(), newRoot(), s, args); code != api.ExitRefused || !strings.Contains(messages.String(), "tended for cluster prod") {
		t.Errorf("exit code %d, want %d\n%s", code, api.ExitRefused, &messages)
	}
}

func TestHealth(t *testing.T) {
	ready := make(chan struct{})
	numbers := prometheus.NewRegistry()
	agent.NewMetrics(numbers)
	handler := newHandler(ready, numbers)
	get := func(path string, want int) string {
		t.Helper()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
		return w.Body.String()
	}
	get("/healthz", http.StatusOK)
	get("/readyz", http.StatusServiceUnavailable)
	close(ready)
	get("/readyz", http.StatusOK)
	if body := get("/metrics", http.StatusOK); !strings.Contains(body, "sealane_agent_registry_reachable 0") {
		t.Errorf("no sealane metrics in\n%s", body)
	}
}
