package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/deploy/lab"
)

// TestStrict has agents that admit published ports only: those are reached from other hosts
// by the container's address, others are not, and Docker restarts as ever.
func TestStrict(t *testing.T) {
	needDocker(t)
	need(t, "docker")
	same := watchMachine(t, "e2estrict")
	c := startSmall(t, "e2estrict", "--admit", "published")
	for _, h := range c.Inventory().Hosts {
		publish(t, h)
	}
	if err := c.StartController(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := c.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	one, two := c.host(t, 1), c.host(t, 2)
	published := func(h lab.Host) string { return h.Bip.Addr().Next().Next().String() }
	check := func(when string) {
		t.Helper()
		eventually(t, 30*time.Second, when+": the published port is reached, from the container's own address", func() bool {
			return talk(t, one, published(two)) == one.Bip.Addr().Next().String() && talk(t, two, published(one)) == two.Bip.Addr().Next().String()
		}, func() any { return c.on(t, one, "iptables-save") })
		for _, pair := range [][2]lab.Host{{one, two}, {two, one}} {
			if got := talk(t, pair[0], pair[1].Bip.Addr().Next().String()); got != "" {
				t.Errorf("%s: an unpublished port answers %q", when, got)
			}
		}
	}
	check("at first")
	if _, err := c.RestartDocker(t.Context(), 2, two.Bip); err != nil {
		t.Fatal(err)
	}
	publish(t, two)
	check("after Docker restarted")
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	same()
}

// publish runs a second container, with its port published.
func publish(t *testing.T, h lab.Host) {
	t.Helper()
	for _, args := range [][]string{
		{"rm", "-f", "published"},
		{"run", "-d", "--name", "published", "--stop-signal", "KILL", "-p", "8088:8080", "sealane-lab:web", "/bin/busybox", "httpd", "-f", "-p", "0.0.0.0:8080", "-h", "/www"},
	} {
		out, err := exec.CommandContext(t.Context(), "docker", append([]string{"-H", "unix://" + h.Docker}, args...)...).CombinedOutput()
		if err != nil && args[0] == "run" {
			t.Fatalf("docker %v: %v\n%s", args, err, out)
		}
	}
}

// talk asks the service at an address from a host's container, and returns which address it
// says it was asked from; empty if it does not answer.
func talk(t *testing.T, from lab.Host, address string) string {
	t.Helper()
	script := fmt.Sprintf(`printf 'GET /cgi-bin/peer HTTP/1.0\r\n\r\n' | /bin/busybox nc -w 2 %s 8080`, address)
	out, err := exec.CommandContext(t.Context(), "docker", "-H", "unix://"+from.Docker, "exec", "web", "/bin/sh", "-c", script).Output()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}
