package machine_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent"
	model "github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/registrytest"
)

// TestDockerIPv6 has an agent on each of two real engines whose default network has IPv6,
// one with Docker's own rules for it and one without. A router in between has the routes
// that a VPC would have. What the agents report and put in place is seen, and packets of
// both families pass, none of them before, and at the end with the containers' addresses.
func TestDockerIPv6(t *testing.T) {
	needRoot(t)
	for _, tool := range []string{"dockerd", "docker", "nsenter", "ip6tables", busybox} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	if !static(t, busybox) {
		t.Skipf("needs %s to be static: the containers have no libraries", busybox)
	}
	router := newSpace(t, "host6-vpc")
	router.in(t, func() { shell(t, "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding") })
	a, b := newSix(t, router, 3, true), newSix(t, router, 4, false)
	before := [2]string{a.dump(t), b.dump(t)}
	a.ping6(t, b, false)

	registry := registrytest.NewFake()
	config := api.DefaultConfig()
	config.Pools = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd10::/16")}
	if err := registry.PutConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	stop := [2]func(){a.tend(t, registry), b.tend(t, registry)}
	publish(t, registry, false, a, b)
	a.ping6(t, b, true)
	b.ping6(t, a, true)
	a.wantPing(t, b.engine, true)
	wantReported(t, registry, a)
	wantReported(t, registry, b)

	// Docker masks the one's sources until they are to be kept.
	publish(t, registry, true, a, b)
	await(t, "sources are kept", func() bool {
		a.ping6(t, b, true)
		return b.sees6(t, a.inside)
	})
	b.ping6(t, a, true)
	if !a.sees6(t, b.inside) {
		t.Errorf("%s does not see the container of %s", a.name, b.name)
	}
	wantReported(t, registry, a)
	wantReported(t, registry, b)
	if _, err := exec.Command("nsenter", "--net=/run/netns/"+router.name, "ping", "-6", "-c1", "-W1", a.inside.String()).Output(); err == nil {
		t.Error("the router, no host of ours, reaches a container where Docker closes it")
	}
	for i, e := range []*six{a, b} {
		stop[i]()
		e.in(t, func() {
			if _, err := e.host.Restore(t.Context()); err != nil {
				t.Errorf("restore: %v", err)
			}
		})
		if after := e.dump(t); after != before[i] {
			t.Errorf("host %s is not as before:\n%s\n--- before\n%s", e.name, after, before[i])
		}
	}
}

// six is an engine whose default network has IPv6.
type six struct {
	*engine
	bip6   netip.Prefix
	inside netip.Addr // of the container
}

// newSix makes and starts host number n, 10.n.0.0/24 and fd10:0:0:n::/64 behind
// 192.168.n.2 and fd20:0:0:n::2. closes tells Docker to write rules of its own for IPv6.
func newSix(t *testing.T, router *space, n int, closes bool) *six {
	t.Helper()
	e := &six{engine: newEngine(t, router, n), bip6: netip.MustParsePrefix(fmt.Sprintf("fd10:0:0:%d::/64", n))}
	shell(t, fmt.Sprintf(`
		ip -n %[1]s addr add fd20:0:0:%[2]d::2/64 dev eth0 nodad; ip -n %[3]s addr add fd20:0:0:%[2]d::1/64 dev to%[2]d nodad
		ip -n %[1]s route add default via fd20:0:0:%[2]d::1; ip -n %[3]s route add %[4]s via fd20:0:0:%[2]d::2`,
		e.name, n, router.name, e.bip6))
	e.config = fmt.Sprintf(`{"ipv6": true, "fixed-cidr-v6": %q, "experimental": %t, "ip6tables": %[2]t}`, e.bip6, closes)
	e.start(t)
	ip := e.must(t, "inspect", "-f", "{{.NetworkSettings.GlobalIPv6Address}}", "one")
	e.inside = netip.MustParseAddr(strings.TrimSpace(ip))
	return e
}

// tend runs an agent on the host until it is stopped, or the test ends.
func (e *six) tend(t *testing.T, registry agent.Registry) (stop func()) {
	t.Helper()
	config := agent.Config{
		Identity: agent.Identity{Instance: api.InstanceID("i-" + e.name), Name: e.name, VPC: "vpc-1", VSwitch: "vsw-1", IP: e.uplink.Addr()},
		Serve:    agent.Serve{Bridges: []string{"docker0"}}, BootID: "boot", TTL: 10 * time.Second, Poll: time.Second, Version: "test",
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	a := agent.New(config, within{e}, registry, nil, slog.New(slog.NewTextHandler(t.Output(), nil)))
	go func() { ended <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("agent of %s: %v", e.name, err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// within is a host whose calls are made from its namespace, which a thread is in and not a
// program.
type within struct{ *six }

func (w within) Facts(ctx context.Context, ip netip.Addr) (f host.Facts, err error) {
	err = w.call(func() error { f, err = w.host.Facts(ctx, ip); return err })
	return f, err
}

func (w within) Apply(ctx context.Context, wish host.Wish) (out host.Outcome) {
	_ = w.call(func() error { out = w.host.Apply(ctx, wish); return nil })
	return out
}

func (w within) Path(ctx context.Context, q host.PathQuestion) (p host.Path, err error) {
	err = w.call(func() error { p, err = w.host.Path(ctx, q); return err })
	return p, err
}

func (w within) Rules(ctx context.Context) (d model.Dump, err error) {
	err = w.call(func() error { d, err = w.host.Rules(ctx); return err })
	return d, err
}

func (within) Watch(context.Context) <-chan struct{} { return nil }

// publish publishes the routes to all subnets as a leader would once they are claimed.
func publish(t *testing.T, registry *registrytest.Fake, keep bool, hosts ...*six) {
	t.Helper()
	var claims []api.Claim
	await(t, "claims of both families", func() bool {
		s, err := registry.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		claims = s.Claims
		return len(claims) == 2*len(hosts)
	})
	var p api.Publication
	for _, c := range claims {
		p.Routes = append(p.Routes, api.RouteStatus{Destination: c.Prefix, Host: c.Instance, Stage: api.StageWritten, KeepSource: keep})
	}
	if err := registry.Publish(t.Context(), registry.Lead("c"), p); err != nil {
		t.Fatal(err)
	}
}

// wantReported wants both subnets of a ready host in the registry, and nothing amiss.
func wantReported(t *testing.T, registry *registrytest.Fake, e *six) {
	t.Helper()
	var found api.Host
	await(t, "report of "+e.name, func() bool {
		s, err := registry.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range s.Hosts {
			if h.Name == e.name {
				found = h
			}
		}
		return found.Readiness.Ready()
	})
	if len(found.Subnets) != 2 || found.Subnets[0].Prefix != e.bip.Masked() || found.Subnets[1].Prefix != e.bip6 {
		t.Errorf("%s reports %v, want %s and %s", e.name, found.Subnets, e.bip.Masked(), e.bip6)
	}
	for _, f := range found.Findings {
		if f.Severity == api.Failure {
			t.Errorf("%s finds %+v", e.name, f)
		}
	}
}

// ping6 wants a ping to pass, in a while, or not.
func (e *six) ping6(t *testing.T, to *six, want bool) {
	t.Helper()
	ping := func() bool {
		return e.docker("exec", "one", "/bin/busybox", "ping", "-6", "-c1", "-W1", to.inside.String()).Run() == nil
	}
	if want {
		await(t, fmt.Sprintf("ping from %s to %s", e.inside, to.inside), ping)
	} else if ping() {
		t.Errorf("ping from %s reaches %s", e.inside, to.inside)
	}
}

// sees6 reports whether the host has seen a ping from this source.
func (e *six) sees6(t *testing.T, source netip.Addr) (seen bool) {
	t.Helper()
	e.in(t, func() {
		flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET6)
		if err != nil {
			t.Errorf("list connections: %v", err)
		}
		for _, f := range flows {
			seen = seen || f.Forward.Protocol == unix.IPPROTO_ICMPV6 && f.Forward.SrcIP.Equal(source.AsSlice())
		}
	})
	return seen
}
