// Package etcdtest runs real etcd for tests: one member within the test's process, or a
// cluster of three processes. It is apart from registrytest so that tests which use the
// fake alone need not link a whole etcd.
package etcdtest

import (
	"net/url"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/sealane/sealane/api/registry/etcd"
)

// Server is an etcd of one member within this process, on a loopback port of its own.
type Server struct {
	Endpoints []string
	Client    *clientv3.Client // closed with the test

	t       testing.TB
	dir     string
	running *embed.Etcd // nil while stopped
}

// Start runs an etcd until the test ends. Its shortest lease is one second.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir()}
	s.start("http://127.0.0.1:0")
	s.Endpoints = []string{"http://" + s.running.Clients[0].Addr().String()}
	t.Cleanup(func() {
		if s.running != nil {
			s.running.Close()
		}
	})
	s.Client = s.Dial()
	return s
}

// Dial makes another client, closed with the test.
func (s *Server) Dial() *clientv3.Client { return dial(s.t, s.Endpoints) }

// Stop ends the etcd; its data and its port are kept for Restart.
func (s *Server) Stop() {
	s.t.Helper()
	s.running.Close()
	s.running = nil
}

// Restart runs it again with the same data on the same port.
func (s *Server) Restart() {
	s.t.Helper()
	s.start(s.Endpoints[0])
}

// Lose empties the data directory of a stopped etcd, as a lost disk would.
func (s *Server) Lose() {
	s.t.Helper()
	s.dir = s.t.TempDir()
}

func (s *Server) start(endpoint string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		running, err := embed.StartEtcd(config(s.t, s.dir, endpoint))
		if err == nil {
			s.running = running
			break
		}
		// The former listener or somebody else may still be leaving the port.
		if time.Now().After(deadline) {
			s.t.Fatalf("start etcd at %s: %v", endpoint, err)
		}
		<-time.After(50 * time.Millisecond)
	}
	select {
	case <-s.running.Server.ReadyNotify():
	case <-time.After(20 * time.Second):
		s.t.Fatalf("etcd at %s is not ready after 20 s", endpoint)
	}
}

func config(t testing.TB, dir, endpoint string) *embed.Config {
	t.Helper()
	client, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	c := embed.NewConfig()
	c.Dir = dir
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = 10, 100
	c.UnsafeNoFsync = true
	c.LogLevel, c.LogOutputs = "panic", []string{"/dev/null"}
	return c
}

func dial(t testing.TB, endpoints []string) *clientv3.Client {
	t.Helper()
	client, err := etcd.Dial(endpoints, etcd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
