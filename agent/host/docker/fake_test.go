package docker_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/agent/host/docker"
)

// fake is a Docker engine that gives recorded answers on a unix socket, in one API version
// only.
type fake struct {
	socket  string
	version string
	answers map[string]string // by path without the version
	events  chan string       // written to the one who follows; closed, it hangs up
	hold    chan struct{}     // while open, nothing is answered; nil answers at once
	asked   chan url.Values   // the parameters of each who follows
	stop    func()            // ends it, and the connections to it
}

// newFake is an engine that has not started.
func newFake(t *testing.T) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") //nolint:usetesting // a socket's path has 107 bytes at most, and nobody must get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &fake{
		socket: filepath.Join(dir, "docker.sock"), version: "1.41",
		answers: map[string]string{
			"/info":     read(t, "20.10.24-iptables.info.json"),
			"/networks": read(t, "20.10.24-iptables.networks.json"),
		},
		events: make(chan string), asked: make(chan url.Values, 100),
	}
}

// start answers until the test ends, or stop is called.
func (f *fake) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: f}}
	server.Start()
	f.stop = sync.OnceFunc(func() {
		server.CloseClientConnections()
		server.Close()
	})
	t.Cleanup(f.stop)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-r.Context().Done():
			return
		}
	}
	if r.URL.Path == "/_ping" {
		w.Header().Set("Api-Version", f.version)
		_, _ = fmt.Fprint(w, "OK")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v"+f.version)
	if !ok {
		http.Error(w, `{"message":"client version is too old"}`, http.StatusBadRequest)
		return
	}
	if path == "/events" {
		f.tell(w, r)
		return
	}
	answer, ok := f.answers[path]
	if !ok {
		http.Error(w, `{"message":"page not found"}`, http.StatusNotFound)
		return
	}
	_, _ = fmt.Fprint(w, answer)
}

func (f *fake) tell(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	f.asked <- r.URL.Query()
	for {
		select {
		case e, open := <-f.events:
			if !open {
				return
			}
			_, _ = fmt.Fprintln(w, e)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func dial(t *testing.T, socket string) *docker.Client {
	t.Helper()
	c, err := docker.Dial("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
