package etcdtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Members is a cluster of three etcd processes, as a production site runs it.
type Members struct {
	Endpoints []string
	Client    *clientv3.Client // knows all endpoints; closed with the test

	t       testing.TB
	members []*exec.Cmd
}

// Cluster runs three members until the test ends, on loopback. It builds etcd's own server
// for that, so a short test is skipped.
func Cluster(t testing.TB) *Members {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs three etcd processes: not with -short")
	}
	binary := build(t)
	// Ports are free when they are chosen; another process may take one before etcd does.
	var err error
	for range 3 {
		c := &Members{t: t}
		c.run(binary)
		c.Client = dial(t, c.Endpoints)
		if err = c.ready(); err == nil {
			return c
		}
		c.end()
	}
	t.Fatalf("three etcd members: %v", err)
	return nil
}

// build compiles the server of the module that this one requires.
func build(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "etcd")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "go.etcd.io/etcd/server/v3").CombinedOutput()
	if err != nil {
		t.Fatalf("build etcd: %v\n%s", err, out)
	}
	return binary
}

func (c *Members) run(binary string) {
	c.t.Helper()
	c.t.Cleanup(c.end)
	ports := freePorts(c.t, 6)
	peers := fmt.Sprintf("m0=http://127.0.0.1:%d,m1=http://127.0.0.1:%d,m2=http://127.0.0.1:%d", ports[3], ports[4], ports[5])
	for i := range 3 {
		client := fmt.Sprintf("http://127.0.0.1:%d", ports[i])
		peer := fmt.Sprintf("http://127.0.0.1:%d", ports[3+i])
		dir := c.t.TempDir()
		member := exec.Command(binary, "--name", fmt.Sprintf("m%d", i), "--data-dir", dir,
			"--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", peers, "--unsafe-no-fsync",
			"--heartbeat-interval", "50", "--election-timeout", "500", "--log-level", "error")
		log, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			c.t.Fatal(err)
		}
		member.Stdout, member.Stderr = log, log
		err = member.Start()
		_ = log.Close() // the process has its own
		if err != nil {
			c.t.Fatal(err)
		}
		c.members = append(c.members, member)
		c.Endpoints = append(c.Endpoints, client)
	}
}

func (c *Members) ready() error {
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	_, err := c.Client.Put(ctx, "ready", "")
	return err
}

func (c *Members) end() {
	for i := range c.members {
		c.kill(i)
	}
}

func (c *Members) kill(i int) {
	if m := c.members[i]; m.ProcessState == nil {
		_ = m.Process.Kill()
		_ = m.Wait() // it was killed, and says so
	}
}

// KillLeader ends the member that leads the cluster, as kill -9 does, and returns its endpoint.
func (c *Members) KillLeader() string {
	c.t.Helper()
	for i, endpoint := range c.Endpoints {
		if c.members[i].ProcessState != nil {
			continue
		}
		status, err := c.Client.Status(c.t.Context(), endpoint)
		if err != nil {
			c.t.Fatalf("status of %s: %v", endpoint, err)
		}
		if status.Leader == status.Header.MemberId {
			c.kill(i)
			return endpoint
		}
	}
	c.t.Fatal("no member leads")
	return ""
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // all at the end, so that no port is given twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
