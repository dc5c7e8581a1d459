package docker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
)

// machine is the part of a file system that tells whether a call starts an engine.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestPermit(t *testing.T) {
	const systemd = "run/systemd/system/any"
	for _, tt := range []struct {
		name   string
		socket string
		files  map[string]string
		want   error
	}{
		{"no systemd", "var/run/docker.sock", map[string]string{"proc/1/comm": "init\n"}, nil},
		{"another socket", "run/lab/docker.sock", map[string]string{systemd: ""}, nil},
		{"stopped", "run/docker.sock", map[string]string{systemd: "", "proc/1/comm": "systemd\n"}, errStopped},
		{"killed", "var/run/docker.sock", map[string]string{systemd: "", "run/docker.pid": "7", "proc/7/comm": "bash\n"}, errStopped},
		{"runs", "var/run/docker.sock", map[string]string{systemd: "", "run/docker.pid": "7", "proc/7/comm": "dockerd\n"}, nil},
		{"pid file elsewhere", "run/docker.sock", map[string]string{systemd: "", "proc/1/comm": "systemd\n", "proc/8/comm": "dockerd\n"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := machine(t, tt.files)
			a := activation{root: root}
			if err := a.permit(filepath.Join(root, tt.socket)); !errors.Is(err, tt.want) {
				t.Errorf("have %v, want %v", err, tt.want)
			}
		})
	}
}

// TestPermitEnding is about a dockerd that hung up: it is left alone until it ended, another
// runs, or it evidently goes on.
func TestPermitEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := machine(t, map[string]string{"run/systemd/system/any": "", "run/docker.pid": "7", "proc/7/comm": "dockerd", "proc/9/comm": "dockerd"})
		a, socket := activation{root: root}, filepath.Join(root, "run/docker.sock")
		a.lost("7")
		time.Sleep(ending - time.Second)
		if err := a.permit(socket); !errors.Is(err, errEnding) {
			t.Errorf("while it ends: %v", err)
		}
		if err := os.WriteFile(filepath.Join(root, "run/docker.pid"), []byte("9"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.permit(socket); err != nil {
			t.Errorf("another: %v", err)
		}
		a.lost("9")
		time.Sleep(ending)
		if err := a.permit(socket); err != nil {
			t.Errorf("it goes on: %v", err)
		}
	})
}

// TestActivation has an engine hang up that does not end: nobody connects again.
func TestActivation(t *testing.T) {
	root := machine(t, map[string]string{"run/systemd/system/any": "", "run/docker.pid": "7", "proc/7/comm": "dockerd"})
	c, err := Dial("unix://" + filepath.Join(root, "run/docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	c.activation.root = root
	listener, err := net.Listen("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41") // and the stream of events ends at once
	})}}
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	woken := make(chan struct{}, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Follow(ctx, func() { woken <- struct{}{} })
	}()
	<-woken
	select {
	case <-woken:
		t.Error("connected to an engine that is about to end")
	case <-time.After(2 * firstWait):
	}
	if _, err := c.Look(t.Context()); !errors.Is(err, errEnding) || !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("look: %v", err)
	}
	cancel()
	<-ended
}
