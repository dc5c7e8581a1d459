package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealane/sealane/deploy/lab"
)

// TestStaysRight does to a host with a real engine and a running agent what others do to
// hosts, and wants it mended by events: while the test waits, no timer of the agent runs out.
func TestStaysRight(t *testing.T) {
	needDocker(t)
	need(t, "nft", "ipset", "docker")
	same := watchMachine(t, "e2eright")
	c := startSmall(t, "e2eright", "--poll", "10m")
	h, calm := c.host(t, 1), c.host(t, 2)
	before := dumps(t, c, calm)
	if _, err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.reachable(t)
	settled := c.settled(t, h)
	for _, disturbance := range []string{
		"iptables -F", "iptables -t raw -F", "iptables -F DOCKER-USER", "iptables -F SEALANE-FWD", "iptables -t raw -F SEALANE-RAW",
		"iptables -I DOCKER-USER 1 -s 203.0.113.1 -j RETURN && iptables -D DOCKER-USER -s 203.0.113.1 -j RETURN; iptables -D DOCKER-USER 1",
		"nft delete table ip sealane", "echo 0 > /proc/sys/net/ipv4/ip_forward", "echo 0 > /proc/sys/net/ipv4/conf/eth0/forwarding",
		"nft flush ruleset",
	} {
		t.Run(disturbance, func(t *testing.T) {
			c.on(t, h, "sh", "-c", disturbance)
			began := time.Now()
			c.mended(t, h, settled, disturbance)
			t.Logf("mended after %s, the looking included", time.Since(began).Round(time.Millisecond))
		})
	}
	t.Run("ipset flush", func(t *testing.T) { // nobody announces that
		c.on(t, h, "ipset", "flush", "sealane-peers")
		eventually(t, 15*time.Second, "the members are back", func() bool {
			return strings.Contains(c.on(t, h, "ipset", "list", "sealane-peers"), "10.1.0.0/24")
		}, func() any { return c.on(t, h, "ipset", "list") })
	})
	t.Run("Docker restarts", func(t *testing.T) { // it puts back what the flushes took
		if _, err := c.RestartDocker(t.Context(), 1, h.Bip); err != nil {
			t.Fatal(err)
		}
		c.reachable(t)
		c.mended(t, h, settled, "a restart")
	})
	t.Run("a second agent by mistake", func(t *testing.T) {
		flags := append(c.AgentFlags(h), "--state-dir", t.TempDir())
		log := c.on(t, h, append([]string{"sh", "-c", `timeout 4 "$@" 2>&1 || true`, "sh", program("sealane-agent")}, flags...)...)
		if strings.Contains(log, "host changed") || !strings.Contains(log, "host reported") {
			t.Errorf("two agents with one wish fight:\n%s", log)
		}
		c.mended(t, h, settled, "a second agent")
	})
	t.Run("networks", func(t *testing.T) { networks(t, c, h) })
	t.Run("dry run", func(t *testing.T) { dryRun(t, c, calm, before) })
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	same()
}

// startSmall is a lab of two hosts whose agents have these flags.
func startSmall(t *testing.T, name string, flags ...string) *cluster {
	t.Helper()
	l, err := lab.Up(t.Context(), lab.Options{Name: name, Engine: lab.EngineDocker, Out: t.Output(), BinDir: program(""), AgentFlags: flags})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &cluster{Lab: l, life: t.Context()}
}

// ours is all that the agent put in place, as the tools print it.
func (c *cluster) ours(t *testing.T, h lab.Host) string {
	t.Helper()
	return c.on(t, h, "sh", "-c", `
		iptables-save -t raw | grep -A1 -e '-j SEALANE' -e '-A SEALANE' | grep SEALANE
		iptables -S DOCKER-USER 1
		iptables-save -t filter | grep SEALANE
		nft list table ip sealane
		grep . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/eth0/forwarding
		true`)
}

// settled waits until what the agent put in place changes no more.
func (c *cluster) settled(t *testing.T, h lab.Host) string {
	t.Helper()
	last := ""
	eventually(t, 30*time.Second, "the agent is done", func() bool {
		now := c.ours(t, h)
		done := now == last && strings.Contains(now, "snat to ip saddr")
		last = now
		return done
	}, func() any { return last })
	return last
}

// mended waits until all is as wanted, looking as often as it can.
func (c *cluster) mended(t *testing.T, h lab.Host, want, after string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	// An event takes well below a second, the slow look ten, and --poll is far away.
	for {
		now := c.ours(t, h)
		if now == want {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("not mended after %s: %s", after, diffLines(want, now))
		}
	}
}

// networks makes networks of a user's: one with the label is served until it is removed,
// one without is not, nor is one that is internal.
func networks(t *testing.T, c *cluster, h lab.Host) {
	docker := func(args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "docker", append([]string{"-H", "unix://" + h.Docker}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("docker %v: %v\n%s", args, err, out)
		}
	}
	docker("network", "create", "--label", "sealane.serve=true", "--subnet", "10.77.0.0/24", "app")
	docker("network", "create", "--label", "sealane.serve=true", "--subnet", "10.78.0.0/24", "--internal", "inner")
	docker("network", "create", "--subnet", "10.79.0.0/24", "private")
	eventually(t, 30*time.Second, "the labelled network is routed", func() bool { return c.has(prefix("10.77.0.0/24"), h) }, func() any { return c.routes() })
	docker("run", "-d", "--name", "app", "--network", "app", "--ip", "10.77.0.5", "sealane-lab:web",
		"/bin/busybox", "httpd", "-f", "-p", "0.0.0.0:8080", "-h", "/www")
	other := c.host(t, 2)
	eventually(t, 30*time.Second, "its container is reached from the other host's", func() bool {
		probe := exec.CommandContext(t.Context(), "docker", "-H", "unix://"+other.Docker, "exec", "web", "/bin/sh", "-c",
			`printf 'GET /cgi-bin/peer HTTP/1.0\r\n\r\n' | /bin/busybox nc -w 2 10.77.0.5 8080`)
		out, err := probe.Output()
		return err == nil && strings.Contains(string(out), other.Bip.Addr().Next().String())
	}, func() any { return c.routes() })
	for _, unserved := range []string{"10.78.0.0/24", "10.79.0.0/24"} {
		if !c.lacks(prefix(unserved)) {
			t.Errorf("%s is routed", unserved)
		}
	}
	docker("rm", "-f", "app")
	docker("network", "rm", "app", "inner", "private")
	eventually(t, 30*time.Second, "the removed network is withdrawn", func() bool { return c.lacks(prefix("10.77.0.0/24")) }, func() any { return c.routes() })
}

// dryRun types what cleanup says it would do, and wants the host as it was before.
func dryRun(t *testing.T, c *cluster, h lab.Host, before map[string]string) {
	flags := c.AgentFlags(h)
	agent := func(args ...string) string {
		return c.on(t, h, append([]string{program("sealane-agent")}, append(args, flags...)...)...)
	}
	if doctor := agent("doctor"); !strings.Contains(doctor, "passes") || strings.Contains(doctor, "dropped") {
		t.Errorf("doctor says\n%s", doctor)
	}
	if err := c.Signal("agent-h2", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if again := agent("run", "--dry-run"); !strings.HasPrefix(again, "# nothing to do") {
		t.Errorf("a fresh agent would do\n%s", again)
	}
	script := agent("cleanup", "--dry-run")
	c.on(t, h, "sh", "-ec", script)
	after := dumps(t, c, h)
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s is not as before\n%s", name, diffLines(was, after[name]))
		}
	}
	if left := agent("cleanup"); strings.Contains(left, "chain") {
		t.Errorf("cleanup found more to do:\n%s", left)
	}
}

// diffLines are the lines that one text has and the other has not.
func diffLines(a, b string) string {
	var out strings.Builder
	for _, l := range added(strings.Split(a, "\n"), strings.Split(b, "\n")) {
		fmt.Fprintln(&out, "+", l)
	}
	for _, l := range added(strings.Split(b, "\n"), strings.Split(a, "\n")) {
		fmt.Fprintln(&out, "-", l)
	}
	return out.String()
}
