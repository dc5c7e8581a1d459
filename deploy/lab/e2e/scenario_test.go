package e2e

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/deploy/lab"
)

const labName = "e2e"

// TestCluster goes through the life of one cluster. Each scenario goes on from where the
// one before it ended; after one that failed the rest would mean nothing.
func TestCluster(t *testing.T) {
	needDocker(t)
	same := watchMachine(t, labName)
	c := start(t)
	foreign := c.foreign()
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
		{"containers do not reach each other before", before},
		{"containers reach each other after", after},
		{"routes are exactly as wanted and foreign ones as they were", exactRoutes},
		{"the receiver sees the container's own address", ownSource},
		{"a third host joins", thirdHost},
		{"a bip changes and its route follows", bipChange},
		{"a route deleted by hand comes back", routeDeleted},
		{"agent killed, controller killed, a second replica takes over", takeover},
		{"etcd stops for a minute", etcdStops},
		{"two hosts claim Docker's default subnet", sameBip},
		{"cleanup restores the host", cleanup},
	} {
		if !t.Run(scenario.name, func(t *testing.T) { scenario.run(t, c) }) {
			t.Fatal("the scenarios after this one are left out")
		}
		c.stillTalking(t, scenario.name)
	}
	if diff := cmp.Diff(foreign, c.foreign()); diff != "" || len(foreign) != 2 {
		t.Errorf("foreign routes changed:\n%s", diff)
	}
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	same()
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func start(t *testing.T) *cluster {
	t.Helper()
	l, err := lab.Up(t.Context(), lab.Options{
		Name: labName, Engine: lab.EngineDocker, Out: t.Output(),
		BinDir: program(""), EtcdBinary: program("etcd"), Controllers: 2,
		Pools: []netip.Prefix{prefix("172.16.0.0/12")},
		Foreign: []lab.ForeignRoute{
			{Destination: prefix("10.250.0.0/24"), Host: 1}, // inside a pool
			{Destination: prefix("203.0.113.0/24"), Host: 2},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	reader, err := client.New(l.Inventory().API)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{Lab: l, api: reader, life: t.Context()}
}

func before(t *testing.T, c *cluster) {
	for _, h := range c.Inventory().Hosts {
		if policy := c.on(t, h, "iptables", "-S", "FORWARD"); !strings.HasPrefix(policy, "-P FORWARD DROP") {
			t.Errorf("Docker did not set the FORWARD policy of %s to DROP:\n%s", h.Name, policy)
		}
	}
	c.before = dumps(t, c, c.host(t, 1))
	if r := c.Inventory().Check(t.Context(), time.Second); !r.Silent() || len(r.Pairs) != 2 {
		t.Errorf("they do: %+v", r.Pairs)
	}
}

func after(t *testing.T, c *cluster) {
	if err := c.StartController(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	// They connect with the first packets that pass, before the agents keep sources.
	c.hold(c.host(t, 1), c.host(t, 2))
	c.hold(c.host(t, 2), c.host(t, 1))
	if err := c.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.reachable(t)
	for _, h := range c.Inventory().Hosts {
		if policy := c.on(t, h, "iptables", "-S", "FORWARD"); !strings.HasPrefix(policy, "-P FORWARD DROP") {
			t.Errorf("the FORWARD policy of %s was changed:\n%s", h.Name, policy)
		}
	}
	if wait := sealane(t, c, "wait", "--timeout", "60s"); wait.code != api.ExitOK {
		t.Errorf("wait: %+v", wait)
	}
	// Without this the scenario of cleanup would pass on a host where nothing was changed.
	during := dumps(t, c, c.host(t, 1))
	for _, what := range []string{"iptables", "nft"} {
		if _, dumped := c.before[what]; dumped && during[what] == c.before[what] {
			t.Errorf("%s of host 1 is as before the agent:\n%s", what, during[what])
		}
	}
}

func exactRoutes(t *testing.T, c *cluster) {
	want := []string{
		"10.0.0.0/24 -> i-8vb6dyu0clj3b538e1yh Available",
		"10.1.0.0/24 -> i-8vbbhvwcbk9yjeigcctn Available",
		"10.250.0.0/24 -> i-8vb6dyu0clj3b538e1yh Available",
		"203.0.113.0/24 -> i-8vbbhvwcbk9yjeigcctn Available",
	}
	if diff := cmp.Diff(want, c.routes()); diff != "" {
		t.Error(diff)
	}
	for _, r := range c.Sim().Routes(lab.Table) {
		mark := sealed(r).Mark
		if strings.HasPrefix(r.Destination.String(), "10.0.0.0") && !mark.Same(api.Mark{Cluster: labName, Host: "i-8vb6dyu0clj3b538e1yh"}) {
			t.Errorf("mark of %s: %+v", r.Destination, mark)
		}
	}
	if n := len(c.foreign()); n != 2 {
		t.Errorf("%d foreign routes carry the name they had, want 2", n)
	}
}

func ownSource(t *testing.T, c *cluster) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if r, err := c.Await(ctx, lab.Report.SourcesKept); err != nil {
		t.Fatalf("%v: %+v", err, r.Pairs)
	}
}

func thirdHost(t *testing.T, c *cluster) {
	h, err := c.AddHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartAgent(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if r := c.reachable(t); len(r.Pairs) != 6 {
		t.Errorf("%d pairs, want 6", len(r.Pairs))
	}
	if !c.has(prefix("10.2.0.0/24"), h) {
		t.Errorf("routes: %v", c.routes())
	}
}

func bipChange(t *testing.T, c *cluster) {
	moveBip(t, c, 3, "10.9.0.1/24")
}

// moveBip restarts a host's Docker with another bip and wants the route to follow.
func moveBip(t *testing.T, c *cluster, index int, bip string) {
	t.Helper()
	old := c.host(t, index).Bip.Masked()
	h, err := c.RestartDocker(t.Context(), index, prefix(bip))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 45*time.Second, "the new route is there and the old one gone", func() bool {
		return c.has(h.Bip.Masked(), h) && c.lacks(old)
	}, func() any { return c.routes() })
	c.reachable(t)
}

func routeDeleted(t *testing.T, c *cluster) {
	h := c.host(t, 2)
	deleteByHand(t, c, h)
	c.reachable(t)
}

func deleteByHand(t *testing.T, c *cluster, h lab.Host) {
	t.Helper()
	if err := c.Sim().RemoveRoute(lab.Table, h.Bip.Masked()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 45*time.Second, "the route of "+h.Name+" is back", func() bool {
		return c.has(h.Bip.Masked(), h)
	}, func() any { return c.routes() })
}

// sameBip leaves two new hosts with Docker's own default. The first keeps it.
func sameBip(t *testing.T, c *cluster) {
	var hosts []lab.Host
	for range 2 {
		h, err := c.AddHost(t.Context())
		if err == nil {
			h, err = c.RestartDocker(t.Context(), h.Index, netip.Prefix{})
		}
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, h)
	}
	first, second := hosts[0], hosts[1]
	claim := prefix("172.17.0.0/16")
	if err := c.StartAgent(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if wait := sealane(t, c, "wait", string(first.Instance), "--timeout", "60s"); wait.code != api.ExitOK || !c.has(claim, first) {
		t.Fatalf("the first host: %+v, routes %v", wait, c.routes())
	}
	if err := c.StartAgent(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	wait := sealane(t, c, "wait", string(second.Instance), "--timeout", "60s")
	if wait.code != api.ExitRefused {
		t.Errorf("wait on the second host: %+v, want exit code %d", wait, api.ExitRefused)
	}
	for _, want := range []string{string(first.Instance), string(second.Instance), string(api.ReasonOverlapsClaim), claim.String()} {
		if !strings.Contains(wait.err, want) {
			t.Errorf("the refusal does not name %s: %s", want, wait.err)
		}
	}
	if !c.has(claim, first) {
		t.Errorf("the first host lost its route: %v", c.routes())
	}
}
