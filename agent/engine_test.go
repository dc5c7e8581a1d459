package agent_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/hosttest"
	"github.com/sealane/sealane/api"
)

// plain is an engine with one network.
func plain(kind string) host.Engine {
	return host.Engine{Version: "27.5.1", Kind: kind, Networks: []host.Network{{Name: "bridge", Bridge: "docker0", Default: true, ICC: true}}}
}

// TestDoesNotExpose wants forwarding left off where nothing would then keep strangers out.
func TestDoesNotExpose(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.Disturb(hosttest.StartDocker)
		b.host.Disturb(hosttest.OpenPolicy)
		b.host.SetEngine(plain(""))
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.start()
		b.wantCodes(api.FindingExposes)
		b.wantHost("ip_forward false")
		if own := b.own(); own.Readiness.Ready() || own.Findings[0].Severity != api.Failure {
			t.Errorf("readiness %+v, findings %+v; want not ready, a failure", own.Readiness, own.Findings)
		}
		b.host.Disturb(hosttest.ClosePolicy) // the cure that the finding names
		b.settle()
		b.wantReady()
		b.wantHost("ip_forward true")

		b.host.Disturb(hosttest.OpenPolicy) // while it is on, that is no doing of ours
		b.settle()
		b.wantReady()
		b.host.Disturb(hosttest.ForwardingOff)
		b.settle()
		b.wantCodes(api.FindingExposes)
		b.wantHost("ip_forward false")
	})
}

func TestDockersRulesAreGone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetEngine(plain(""))
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.start()
		b.wantReady() // it never wrote rules
		b.host.Disturb(hosttest.StartDocker)
		b.settle()
		b.wantReady()
		b.host.Disturb(hosttest.FlushRuleset)
		b.settle()
		b.wantText(api.FindingUnprotected, "its protection with them")
		b.host.Disturb(hosttest.StartDocker)
		b.settle()
		b.wantReady()
		b.host.Disturb(hosttest.FlushFilter)
		b.settle()
		b.wantText(api.FindingUnprotected, "FORWARD leads to none of its chains")
		b.host.Disturb(hosttest.StartDocker)
		b.settle()
		b.wantReady()
	})
}

func TestEnginesThatAreNotServed(t *testing.T) {
	for _, tt := range []struct{ kind, text string }{
		{host.KindRootless, "this is rootless Docker"}, {host.KindPodman, "podman answers in Docker's place"}, {host.KindSnap, "this is Docker from snap"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.host.SetEngine(plain(tt.kind))
				b.host.SetBridge("docker0", "10.0.0.1/24")
				b.start()
				b.wantText(api.FindingEngineUnfit, tt.text)
			})
		})
	}
}

// TestClosedNetworkByRedirect wants a network with icc=false judged by itself: the redirect makes
// it hold for other hosts, and the host's other networks are as ready as before.
func TestClosedNetworkByRedirect(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.Disturb(hosttest.StartDocker)
		engine := plain("")
		engine.Networks[0].ICC = false
		b.host.SetEngine(engine)
		b.host.SetNative(host.Native{})
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.host.SetRules(firewall.Dump{Ruleset: `{"nftables": [
			{"table": {"family": "ip", "name": "docker-bridges", "handle": 1}},
			{"chain": {"family": "ip", "table": "docker-bridges", "name": "filter-FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
			{"rule": {"family": "ip", "table": "docker-bridges", "chain": "filter-FORWARD", "handle": 2, "expr": [
				{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "docker0"}},
				{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "docker0"}},
				{"drop": null}]}}]}`})
		b.start()
		own := b.own()
		var have []string
		for _, f := range own.Findings {
			have = append(have, string(f.Code)+" "+string(f.Severity))
		}
		if diff := cmp.Diff([]string{"SL-F015 failure", "SL-F018 info"}, have); diff != "" || !own.Readiness.Ready() {
			t.Errorf("readiness %+v, findings (-want +have):\n%s%+v", own.Readiness, diff, own.Findings)
		}
	})
}
