package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
)

// takeover kills an agent, then the leading controller, while packets flow. The second
// replica serves a change, and the host without agent keeps its route and its traffic.
func takeover(t *testing.T, c *cluster) {
	one, two := c.host(t, 1), c.host(t, 2)
	if err := c.StartController(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	end := c.flow(t, one, two)
	for _, part := range []string{"agent-h2", "controller-1"} {
		if err := c.Signal(part, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	deleteByHand(t, c, c.host(t, 3)) // no packet of the stream goes there
	eventually(t, time.Minute, "the host without agent is silent and still routed", func() bool {
		h := hostStatus(c.status(t), two.Instance)
		return h.Life == api.LifeSilent && c.has(two.Bip.Masked(), two)
	}, func() any { return hostStatus(c.status(t), two.Instance) })
	if s := c.status(t); !s.Replica.Leads || !strings.Contains(s.Replica.Name, "controller-2") {
		t.Errorf("the second replica does not lead: %+v", s.Replica)
	}
	end()
	if err := c.StartAgent(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the host is alive again", func() bool {
		return hostStatus(c.status(t), two.Instance).Life == api.LifeAlive
	}, func() any { return hostStatus(c.status(t), two.Instance) })
	c.reachable(t)
}

// etcdStops freezes etcd for the minute that leases and patience run out in.
func etcdStops(t *testing.T, c *cluster) {
	want := c.routes()
	end := c.flow(t, c.host(t, 1), c.host(t, 2))
	back := c.flow(t, c.host(t, 3), c.host(t, 1))
	if err := c.Signal("etcd", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	minute := time.NewTimer(time.Minute)
	defer minute.Stop()
	select {
	case <-minute.C:
	case <-t.Context().Done():
	}
	if r := c.Inventory().Check(t.Context(), 2*time.Second); !r.OK() {
		t.Errorf("without etcd: %+v", r.Pairs)
	}
	if diff := cmp.Diff(want, c.routes()); diff != "" {
		t.Errorf("routes changed without etcd:\n%s", diff)
	}
	if err := c.Signal("etcd", syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	end()
	back()
	moveBip(t, c, 3, "10.2.0.1/24")
}
