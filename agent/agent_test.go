package agent_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/hosttest"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/registrytest"
)

const poll = 30 * time.Second

// bench is an agent for host i-a, its machine and its registry.
type bench struct {
	t        *testing.T
	host     *hosttest.Fake
	registry *registrytest.Fake
	log      *bytes.Buffer
	deaf     bool // the registry announces nothing
	config   agent.Config
	shown    func(host string) firewall.Dump // the rules that show, by what the host is like; nil: as set
}

// shown is a host of whose rules some show by what else is there.
type shown struct {
	*hosttest.Fake
	rules func(host string) firewall.Dump
}

func (s shown) Rules(context.Context) (firewall.Dump, error) { return s.rules(s.String()), nil }

// deaf is a registry whose changes are seen by looking only.
type deaf struct{ *registrytest.Fake }

func (deaf) Watch(context.Context, ...api.Area) <-chan struct{} { return nil }

// onBench runs a test within a bubble of time. The agent runs from start to the end of it.
func onBench(t *testing.T, test func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, config: benchConfig(), host: hosttest.NewFake(netip.MustParseAddr("192.168.0.1")), registry: registrytest.NewFake(), log: &bytes.Buffer{}}
		config := api.DefaultConfig()
		config.Pools = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16")}
		if err := b.registry.PutConfig(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		test(b)
	})
}

func benchConfig() agent.Config {
	return agent.Config{
		Identity: agent.Identity{Instance: "i-a", Name: "alpha", VPC: "vpc-1", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.1")},
		Serve:    agent.Serve{Bridges: []string{"docker0"}}, BootID: "boot", TTL: 10 * time.Second, Poll: poll, Version: "test",
	}
}

// start runs the agent until the test ends.
func (b *bench) start() *agent.Agent { return b.run(b.t.Context()) }

// run runs the agent until ctx or the test ends; then it must end well.
func (b *bench) run(ctx context.Context) *agent.Agent {
	var registry agent.Registry = b.registry
	if b.deaf {
		registry = deaf{b.registry}
	}
	var h agent.Host = b.host
	if b.shown != nil {
		h = shown{b.host, b.shown}
	}
	a := agent.New(b.config, h, registry, nil, slog.New(slog.NewTextHandler(b.log, nil)))
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.t.Errorf("agent ended with %v", err)
		}
	})
	b.settle()
	return a
}

// settle lets events be acted upon, in much less time than a poll takes.
func (b *bench) settle() {
	b.t.Helper()
	<-time.After(3 * time.Second)
	synctest.Wait()
}

// own is the record of host i-a.
func (b *bench) own() api.Host {
	b.t.Helper()
	s, err := b.registry.Snapshot(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range s.Hosts {
		if h.Instance == "i-a" {
			return h
		}
	}
	b.t.Fatalf("no host i-a in\n%s", b.registry)
	return api.Host{}
}

func (b *bench) wantCodes(want ...api.Code) {
	b.t.Helper()
	var have []api.Code
	for _, f := range b.own().Findings {
		have = append(have, f.Code)
	}
	if !slices.Equal(have, want) {
		b.t.Errorf("findings %v, want %v\n%+v", have, want, b.own().Findings)
	}
}

// wantText wants one finding only, with these texts in it.
func (b *bench) wantText(code api.Code, texts ...string) {
	b.t.Helper()
	all := b.own().Findings
	all = slices.DeleteFunc(all, func(f api.Finding) bool { return f.Code == api.FindingForwardingOff })
	for _, text := range texts {
		if len(all) != 1 || all[0].Code != code || !strings.Contains(all[0].Text, text) {
			b.t.Errorf("findings %+v, want %s with %q", all, code, text)
		}
	}
}

func (b *bench) wantSubnets(want ...string) {
	b.t.Helper()
	var have []string
	for _, s := range b.own().Subnets {
		have = append(have, s.Prefix.String())
	}
	if !slices.Equal(have, want) {
		b.t.Errorf("reported %v, want %v", have, want)
	}
}

// wantHost wants these lines in what the host prints, and not those with "no " before.
func (b *bench) wantHost(lines ...string) {
	b.t.Helper()
	dump := b.host.String()
	for _, line := range lines {
		absent, unwanted := strings.CutPrefix(line, "no ")
		if unwanted == strings.Contains(dump, absent) {
			b.t.Errorf("want %q in\n%s", line, dump)
		}
	}
}

// other reports another, ready host with one subnet.
func (b *bench) other(id api.InstanceID, ip, subnet string) []api.Conflict {
	b.t.Helper()
	conflicts, err := b.registry.Report(b.t.Context(), api.Report{
		Instance: id, Name: "other", VPC: "vpc-1", IP: netip.MustParseAddr(ip),
		Subnets:   []api.Subnet{{Prefix: netip.MustParsePrefix(subnet), Bridge: "docker0"}},
		Readiness: api.Readiness{Forwarding: true, Rules: true},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return conflicts
}

// publish publishes the routes to these subnets as a leader would.
func (b *bench) publish(stage api.Stage, keep bool, routes map[string]api.InstanceID) {
	b.t.Helper()
	var p api.Publication
	for prefix, id := range routes {
		p.Routes = append(p.Routes, api.RouteStatus{Destination: netip.MustParsePrefix(prefix), Host: id, Stage: stage, KeepSource: keep})
	}
	if err := b.registry.Publish(b.t.Context(), b.registry.Lead("c"), p); err != nil {
		b.t.Fatal(err)
	}
	b.settle()
}

func TestWaitsForDocker(t *testing.T) {
	onBench(t, func(b *bench) {
		a := b.start()
		b.wantCodes(api.FindingNoBridge, api.FindingForwardingOff)
		b.wantSubnets()
		b.wantHost("ip_forward false", "chain filter/SEALANE-FWD")
		select {
		case <-a.Ready():
		default:
			t.Error("not ready though the first report is written")
		}

		b.host.Disturb(hosttest.StartDocker)
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.settle()
		b.wantCodes()
		b.wantSubnets("10.0.0.0/24")
		b.wantHost("ip_forward true", "set sealane-local [10.0.0.0/24]")
		if r := b.own().Readiness; !r.Ready() {
			t.Errorf("readiness %+v", r)
		}
	})
}

func TestBridgeChanges(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.start()
		b.host.SetBridge("docker0", "10.5.0.1/24")
		b.settle()
		b.wantSubnets("10.5.0.0/24")
		b.wantHost("set sealane-local [10.5.0.0/24]")

		b.host.SetBridge("docker0")
		b.settle()
		b.wantCodes(api.FindingBridgeLost)
		b.wantSubnets("10.5.0.0/24")
		b.wantHost("set sealane-local []")

		b.host.SetBridge("docker0", "169.254.1.1/16", "10.6.0.1/24")
		b.settle()
		b.wantCodes(api.FindingBadSubnet)
		b.wantSubnets("10.6.0.0/24")
	})
}

func TestRegistryAway(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		before := b.host.String()
		b.registry.Fail(api.ErrUnreachable)
		<-time.After(10 * poll)
		b.host.Disturb(hosttest.FlushRaw)
		b.host.Disturb(hosttest.ForwardingOff)
		b.settle()
		if diff := cmp.Diff(before, b.host.String()); diff != "" {
			t.Errorf("not kept (-before +after):\n%s", diff)
		}
		b.registry.Fail(nil)
		b.settle()
		<-time.After(poll)
		for _, line := range []string{"registry out of reach", "registry back in reach"} {
			if n := strings.Count(b.log.String(), line); n != 1 {
				t.Errorf("said %q %d times:\n%s", line, n, b.log)
			}
		}
	})
}

func TestRegistryAwayAtStart(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		before := b.host.String()
		b.registry.Fail(api.ErrUnreachable)
		b.start() // a second run stands for a restart
		<-time.After(3 * poll)
		if diff := cmp.Diff(before, b.host.String()); diff != "" {
			t.Errorf("not kept (-before +after):\n%s", diff)
		}
	})
}

func TestIncompleteRegistryTakesNothingAway(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		before := b.host.String()
		b.registry.Garble("hosts/i-b", true)
		b.settle()
		if diff := cmp.Diff(before, b.host.String()); diff != "" {
			t.Errorf("not kept (-before +after):\n%s", diff)
		}
	})
}

func TestRefusedClaim(t *testing.T) {
	onBench(t, func(b *bench) {
		b.other("i-b", "192.168.0.2", "10.0.0.0/16")
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.start()
		b.wantCodes(api.FindingClaimRefused)
		for _, name := range []string{"i-a (alpha)", "i-b"} {
			if text := b.own().Findings[0].Text; !strings.Contains(text, name) {
				t.Errorf("finding %q does not name %s", text, name)
			}
		}
		b.wantHost("set sealane-local []", "set sealane-peers [192.168.0.2/32]")

		b.other("i-b", "192.168.0.2", "10.1.0.0/24") // makes way
		b.settle()
		b.wantCodes()
		b.wantHost("set sealane-local [10.0.0.0/24]", "set sealane-peers [10.1.0.0/24 192.168.0.2/32]")
	})
}

func TestRemotesThatAreNotTrusted(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "192.168.0.0/16") // holds our own address
		b.other("i-c", "192.168.0.3", "172.17.0.0/16")  // in no pool
		b.start()
		b.wantHost("set sealane-peers [192.168.0.2/32 192.168.0.3/32]")
	})
}

func TestOnlyHostsWithSubnetsAreLetIn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.other("i-c", "192.168.0.3", "10.1.0.0/16") // refused
		b.start()
		b.wantHost("set sealane-peers [10.1.0.0/24 192.168.0.2/32]")

		// The leader releases the claims of a host that is gone; its record stays.
		p := api.Publication{Release: []api.InstanceID{"i-b"}}
		if err := b.registry.Publish(t.Context(), b.registry.Lead("c"), p); err != nil {
			t.Fatal(err)
		}
		b.settle()
		b.wantHost("set sealane-peers []")
	})
}

func TestLocalsOutsideThePoolsStayShut(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "172.17.0.1/16", "10.0.0.1/24")
		b.start()
		b.wantSubnets("10.0.0.0/24", "172.17.0.0/16")
		b.wantHost("set sealane-local [10.0.0.0/24]")
	})
}

func TestSources(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		both := map[string]api.InstanceID{"10.0.0.0/24": "i-a", "10.1.0.0/24": "i-b"}
		const kept = "sealane keep from [10.0.0.0/24] to [10.1.0.0/24]"
		b.registry.Alive("i-b")
		b.wantHost("no sealane keep")
		b.publish(api.StageWanted, true, both)
		b.wantHost("no sealane keep")
		b.publish(api.StageWritten, false, both)
		b.wantHost("no sealane keep")
		b.publish(api.StageWritten, true, map[string]api.InstanceID{"10.1.0.0/24": "i-b"})
		b.wantHost("no sealane keep") // nothing leads the answers back here
		b.publish(api.StageWritten, true, both)
		b.wantHost(kept)
		b.publish(api.StageVerified, true, both)
		b.wantHost(kept)

		config := api.DefaultConfig()
		config.Pools, config.SourceMode = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, api.SourceMasquerade
		if err := b.registry.PutConfig(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		b.settle()
		b.wantHost("no sealane keep")
	})
}

func TestSourceOfASilentHost(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		b.publish(api.StageWritten, true, map[string]api.InstanceID{"10.0.0.0/24": "i-a", "10.1.0.0/24": "i-b"})
		b.wantHost("no sealane keep") // its agent was never heard
		b.registry.Alive("i-b")
		b.settle()
		b.wantHost("sealane keep")
		b.registry.Expire("i-b")
		<-time.After(2 * poll)
		b.wantHost("sealane keep")
		b.start() // a second run stands for a restart
		<-time.After(2 * poll)
		b.wantHost("sealane keep")
	})
}

func TestRepairsAtOnce(t *testing.T) {
	for _, d := range []hosttest.Disturbance{hosttest.ForwardingOff, hosttest.FlushRaw, hosttest.GetAhead, hosttest.DestroySets} {
		t.Run(string(d), func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.host.SetBridge("docker0", "10.0.0.1/24")
				b.start()
				<-time.After(poll / 2)
				synctest.Wait()
				b.host.Disturb(d)
				<-time.After(100 * time.Millisecond)
				synctest.Wait()
				b.wantHost("ip_forward true", "chain raw/PREROUTING\n  -j SEALANE-RAW", "chain filter/DOCKER-USER\n  -j SEALANE-FWD", "set sealane-local [10.0.0.0/24]")
			})
		})
	}
}

func TestFailures(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.host.Fail(errors.New("iptables is broken"))
		b.start()
		b.wantCodes(api.FindingForwardingOff, api.FindingRulesFailed, api.FindingSourceMasked,
			api.FindingSettings, api.FindingSettings, api.FindingSettings, api.FindingSettings)
		if r := b.own().Readiness; r.Forwarding || r.Rules {
			t.Errorf("readiness %+v", r)
		}
		b.host.Fail(nil)
		b.settle()
		b.wantCodes()
		before := b.log.Len()
		at := b.own().At
		<-time.After(5 * poll)
		if b.log.Len() != before || !b.own().At.Equal(at) {
			t.Errorf("spoke though nothing happened:\n%s", b.log.String()[before:])
		}
	})
}

func TestMomentsTrouble(t *testing.T) {
	onBench(t, func(b *bench) {
		ip := netip.MustParseAddr("192.168.0.1")
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.start()
		at := b.own().At
		b.host.LoseAddress(ip)
		<-time.After(time.Second / 2)
		b.host.GainAddress(ip)
		<-time.After(2 * poll)
		if own := b.own(); !own.At.Equal(at) || !own.Readiness.Ready() {
			t.Errorf("a moment without the address was reported: %+v", own)
		}

		b.host.LoseAddress(ip)
		b.host.Disturb(hosttest.ForwardingOff)
		b.settle()
		b.wantCodes(api.FindingNoUplink)
		b.wantHost("ip_forward true")
		if have, want := b.own().Readiness, (api.Readiness{Forwarding: true}); have != want {
			t.Errorf("readiness %+v, want %+v", have, want)
		}
	})
}

func TestBridgeWithoutAddress(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.BareBridge("docker0")
		b.start()
		b.wantText(api.FindingNoBridge, "docker0 has no IPv4 address: ")
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.settle()
		b.host.BareBridge("docker0")
		b.settle()
		b.wantText(api.FindingBridgeLost, "docker0 has no IPv4 address: ", "claim to 10.0.0.0/24 is kept")
	})
}

func TestOtherVariantDrops(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.host.Block(host.Legacy)
		b.start()
		b.wantText(api.FindingOtherVariant, "iptables-legacy is DROP")
		if b.own().Readiness.Rules {
			t.Error("ready though another variant drops")
		}
		b.host.Block("")
		b.settle()
		b.wantCodes()
	})
}

func TestRestartWithoutNews(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		ctx, stop := context.WithCancel(b.t.Context())
		b.run(ctx)
		stop()
		at := b.own().At
		b.deaf = true
		a := b.start()
		select {
		case <-a.Ready():
		default:
			t.Error("not ready though the registry has the report")
		}
		if !b.own().At.Equal(at) {
			t.Error("reported though nothing is new")
		}
		id := agent.Identity{Instance: "i-a", VPC: "vpc-1", IP: netip.MustParseAddr("192.168.0.1")}
		if _, err := agent.Leave(t.Context(), id, b.registry); err != nil {
			t.Fatal(err)
		}
		// What happens before the agent has seen it must not bring the host back either.
		b.host.SetBridge("docker0", "10.5.0.1/24")
		<-time.After(2 * poll)
		if own := b.own(); own.Life != api.LifeLeft || len(own.Claims) > 0 {
			t.Errorf("the running agent brought the host back: %+v", own)
		}
	})
}

func TestLeave(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.start()
		id := agent.Identity{Instance: "i-a", VPC: "vpc-1", IP: netip.MustParseAddr("192.168.0.9")}
		if _, err := agent.Leave(t.Context(), id, b.registry); !errors.Is(err, api.ErrRefused) {
			t.Errorf("left as another machine: %v", err)
		}
		id.IP = netip.MustParseAddr("192.168.0.1")
		if _, err := agent.Leave(t.Context(), id, b.registry); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * poll)
		if own := b.own(); own.Life != api.LifeLeft || len(own.Claims) > 0 {
			t.Errorf("the running agent brought the host back: %+v", own)
		}
		b.wantHost("set sealane-local []")
		b.start()
		b.wantSubnets("10.0.0.0/24")
		if own := b.own(); own.Left || len(own.Claims) != 1 {
			t.Errorf("a restart did not bring the host back: %+v", own)
		}
	})
}
