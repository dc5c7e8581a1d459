package agent_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/hosttest"
	"github.com/sealane/sealane/api"
)

// wantAstray wants the host not ready, with one finding, a failure with these texts.
func (b *bench) wantAstray(code api.Code, texts ...string) {
	b.t.Helper()
	b.wantText(code, texts...)
	own := b.own()
	if len(own.Findings) > 0 && own.Findings[0].Severity != api.Failure {
		b.t.Errorf("severity %s, want a failure", own.Findings[0].Severity)
	}
	if own.Readiness.Ready() || !own.Readiness.Forwarding || !own.Readiness.Rules {
		b.t.Errorf("readiness %+v, want all but the path", own.Readiness)
	}
}

func (b *bench) wantReady() {
	b.t.Helper()
	b.wantCodes()
	if r := b.own().Readiness; !r.Ready() {
		b.t.Errorf("readiness %+v, want ready", r)
	}
}

func TestPathsAstray(t *testing.T) {
	for _, tt := range []struct {
		name        string
		wrong, mend func(h *hosttest.Fake)
		code        api.Code
		texts       []string
	}{
		{
			"another router", func(h *hosttest.Fake) { h.SetRoute("10.1.0.0/24", "eth0", "192.168.1.50") }, func(h *hosttest.Fake) { h.SetRoute("10.1.0.0/24", "", "") },
			api.FindingPeerAstray,
			[]string{"10.1.0.0/24 of host i-b", "leave by eth0 to 192.168.1.50, not by eth0 to 192.168.15.253", "route 10.1.0.0/24 in table main, made by boot"},
		},
		{
			"a tunnel", func(h *hosttest.Fake) { h.SetRoute("10.0.0.0/8", "tun9", "") }, func(h *hosttest.Fake) { h.SetRoute("10.0.0.0/8", "", "") },
			api.FindingPeerAstray,
			[]string{"10.1.0.0/24 of host i-b (other), 10.2.0.0/24 of host i-c (other) leave by tun9, not by eth0", "route 10.0.0.0/8"},
		},
		{
			"a network takes the subnet", func(h *hosttest.Fake) {
				h.SetEngine(host.Engine{Version: "20.10.24", Networks: []host.Network{{Name: "bridge", Bridge: "docker0", Default: true, ICC: true}, {Name: "shop_default", Bridge: "br-1", ICC: true}}})
				h.SetBridge("br-1", "10.1.0.1/24")
			}, func(h *hosttest.Fake) { h.SetBridge("br-1") },
			api.FindingPeerAstray,
			[]string{"10.1.0.0/24 of host i-b (other) stay on this host: network shop_default takes 10.1.0.0/24 (bridge br-1)"},
		},
		{
			"own subnet", func(h *hosttest.Fake) { h.SetRoute("10.0.0.0/24", "tun9", "") }, func(h *hosttest.Fake) { h.SetRoute("10.0.0.0/24", "", "") },
			api.FindingLocalAstray,
			[]string{"packets for 10.0.0.0/24 that come in by eth0 leave by tun9, not by docker0"},
		},
		{
			"bridge down", func(h *hosttest.Fake) { h.TakeDown("docker0", true) }, func(h *hosttest.Fake) { h.TakeDown("docker0", false) },
			api.FindingLocalAstray,
			[]string{"docker0 is down"},
		},
		{
			"own route is gone", func(h *hosttest.Fake) { h.SetRoute("10.0.0.0/24", "eth0", "192.168.0.253") }, func(h *hosttest.Fake) { h.SetRoute("10.0.0.0/24", "", "") },
			api.FindingLocalAstray,
			[]string{"packets for 10.0.0.0/24 that come in by eth0 leave by eth0"},
		},
		{
			"bridge of another subnet", func(h *hosttest.Fake) {
				h.SetEngine(host.Engine{Version: "20.10.24", Networks: []host.Network{{Name: "bridge", Bridge: "docker0", Default: true, ICC: true, Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}}})
				h.SetBridge("docker0", "10.9.9.1/24")
			}, func(h *hosttest.Fake) { h.SetBridge("docker0", "10.0.0.1/24") },
			api.FindingLocalAstray,
			[]string{"the containers of network bridge have addresses of 10.0.0.0/24, and docker0 has one of 10.9.9.0/24"},
		},
		{
			"bridge without address", func(h *hosttest.Fake) { h.BareBridge("docker0") }, func(h *hosttest.Fake) { h.SetBridge("docker0", "10.0.0.1/24") },
			api.FindingBridgeLost,
			[]string{"docker0 has no IPv4 address"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.host.SetBridge("docker0", "10.0.0.1/24")
				b.other("i-b", "192.168.0.2", "10.1.0.0/24")
				b.other("i-c", "192.168.0.3", "10.2.0.0/24")
				b.start()
				b.wantReady()
				tt.wrong(b.host)
				b.settle()
				b.wantAstray(tt.code, tt.texts...)
				at := b.own().At
				<-time.After(5 * poll)
				if !b.own().At.Equal(at) {
					t.Error("reported again though nothing changed")
				}
				tt.mend(b.host)
				b.settle()
				b.wantReady()
			})
		})
	}
}

// TestRouteToTheHostItself wants a route to the host that holds the subnet taken for right.
func TestRouteToTheHostItself(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.host.SetRoute("10.1.0.0/24", "eth0", "192.168.0.2")
		b.start()
		b.wantReady()
	})
}

// TestLinkOff wants forwarding that is off on one link told by a look, and mended by the agent.
func TestLinkOff(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.config.Leave = []host.Part{host.PartForwarding}
		b.host.Disturb(hosttest.ForwardingOn)
		b.host.Disturb(hosttest.LinkOff)
		b.start()
		own := b.own()
		if len(own.Findings) != 1 || own.Findings[0].Code != api.FindingForwardingOff || own.Readiness.Ready() {
			t.Errorf("findings %+v, readiness %+v; want forwarding off on the link", own.Findings, own.Readiness)
		}
	})
}

// TestSourceTowardAHostAstray wants packets to a host that goes astray masqueraded, since
// its answers reach this host's own address.
func TestSourceTowardAHostAstray(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		b.registry.Alive("i-b")
		b.publish(api.StageWritten, true, map[string]api.InstanceID{"10.0.0.0/24": "i-a", "10.1.0.0/24": "i-b"})
		b.wantHost("sealane keep")
		astray := api.Report{
			Instance: "i-b", Name: "other", VPC: "vpc-1", IP: netip.MustParseAddr("192.168.0.2"),
			Subnets:   []api.Subnet{{Prefix: netip.MustParsePrefix("10.1.0.0/24"), Bridge: "docker0"}},
			Readiness: api.Readiness{Forwarding: true, Rules: true, Astray: true},
		}
		if _, err := b.registry.Report(t.Context(), astray); err != nil {
			t.Fatal(err)
		}
		b.settle()
		b.wantHost("no sealane keep")
	})
}
