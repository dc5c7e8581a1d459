package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/hosttest"
	"github.com/sealane/sealane/api"
)

// network is a Docker network on a bridge.
func network(name, bridge string, change func(*host.Network)) host.Network {
	n := host.Network{Name: name, Bridge: bridge, ICC: true, Masquerade: true, Default: name == "bridge"}
	if change != nil {
		change(&n)
	}
	return n
}

func (b *bench) wantNetworks(want ...string) {
	b.t.Helper()
	var have []string
	for _, s := range b.own().Subnets {
		have = append(have, s.Prefix.String()+" "+s.Bridge+" "+s.Network)
	}
	if strings.Join(have, ", ") != strings.Join(want, ", ") {
		b.t.Errorf("subnets %q, want %q", have, want)
	}
}

// TestNetworksAreChosen by interface, by name and by label; an internal one never is.
func TestNetworksAreChosen(t *testing.T) {
	onBench(t, func(b *bench) {
		b.config.Serve.Networks, b.config.Serve.Label = []string{"app", "missing"}, "sealane.serve"
		for name, address := range map[string]string{
			"dock9": "10.0.0.1/24", "br-app": "10.0.1.1/24", "br-labelled": "10.0.2.1/24", "br-denied": "10.0.3.1/24",
			"br-internal": "10.0.4.1/24", "br-other": "10.0.5.1/24", "virbr0": "10.0.6.1/24",
		} {
			b.host.SetBridge(name, address)
		}
		label := func(value string) func(*host.Network) {
			return func(n *host.Network) { n.Labels = map[string]string{"sealane.serve": value} }
		}
		b.host.SetEngine(host.Engine{Version: "28.5.2", Networks: []host.Network{
			network("bridge", "dock9", nil), network("app", "br-app", func(n *host.Network) { n.ICC = false }),
			network("labelled", "br-labelled", label("")), network("denied", "br-denied", label("false")),
			network("internal", "br-internal", func(n *host.Network) { n.Internal = true; label("true")(n) }),
			network("other", "br-other", nil),
		}})
		b.start()
		b.wantNetworks("10.0.0.0/24 dock9 bridge", "10.0.1.0/24 br-app app", "10.0.2.0/24 br-labelled labelled")
		b.wantCodes(api.FindingNotServed, api.FindingNotServed, api.FindingOverruled)
		if have := b.own().Versions.Docker; have != "28.5.2" {
			t.Errorf("Docker %q, want 28.5.2", have)
		}
	})
}

// TestNetworkRemoved has a user's network go away: for good if Docker says so, and not while
// Docker is silent. The default network never does.
func TestNetworkRemoved(t *testing.T) {
	onBench(t, func(b *bench) {
		b.config.Serve.Networks = []string{"app"}
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.host.SetBridge("br-app", "10.0.1.1/24")
		e := host.Engine{Version: "28.5.2", Networks: []host.Network{network("bridge", "docker0", nil), network("app", "br-app", nil)}}
		b.host.SetEngine(e)
		b.start()
		both := []string{"10.0.0.0/24 docker0 bridge", "10.0.1.0/24 br-app app"}
		b.wantNetworks(both...)

		b.host.SilenceEngine(api.ErrUnreachable)
		b.settle()
		b.wantNetworks(both...)
		b.wantCodes(api.FindingEngineSilent)
		b.host.SetBridge("br-app")
		b.host.SetBridge("docker0")
		b.settle()
		b.wantNetworks(both...)

		e.Networks = e.Networks[:1]
		b.host.SetEngine(e)
		b.settle()
		b.wantNetworks(both[:1]...)
		b.wantCodes(api.FindingBridgeLost, api.FindingNotServed)
	})
}

// TestFight has another program turn forwarding off whenever it is turned on.
func TestFight(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.start()
		for range 10 {
			b.host.Disturb(hosttest.ForwardingOff)
			b.settle()
		}
		if strings.Contains(b.host.String(), "ip_forward true") {
			t.Error("forwarding is still fought for")
		}
		b.wantCodes(api.FindingFight)
		<-time.After(4 * poll)
		b.settle()
		if !strings.Contains(b.host.String(), "ip_forward true") {
			t.Error("forwarding is not mended when the rest is over")
		}
	})
}

// TestDropIsNamed has a rule drop what comes in from other hosts.
func TestDropIsNamed(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.host.SetRules(firewall.Dump{NFT: "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -o docker0 -p tcp -j DROP\nCOMMIT\n"})
		b.start()
		b.wantText(api.FindingDropped, "chain FORWARD, rule 1: -A FORWARD -o docker0 -p tcp -j DROP")
		if b.own().Readiness.Ready() {
			t.Error("a host that drops counts as ready")
		}
		b.host.SetRules(firewall.Dump{})
		b.settle()
		b.wantCodes()
	})
}

// TestLeftOut has parts switched off, which are then never touched.
func TestLeftOut(t *testing.T) {
	onBench(t, func(b *bench) {
		b.config.Leave = []host.Part{host.PartForwarding, host.PartSource}
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.host.SetEngine(host.Engine{Version: "28.5.2"})
		b.start()
		b.wantCodes(api.FindingForwardingOff)
		if strings.Contains(b.host.String(), "ip_forward true") {
			t.Error("forwarding was turned on")
		}
	})
}

// TestEmptiedRegistry has the registry lose all records. What they named is kept until the
// hosts are back, or for ten minutes.
func TestEmptiedRegistry(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.other("i-c", "192.168.0.3", "10.2.0.0/24")
		b.start()
		b.wantHost("10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24")
		b.registry.Empty()
		b.settle()
		b.wantHost("10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.settle()
		b.wantHost("10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24")
		<-time.After(11 * time.Minute)
		b.settle()
		b.wantHost("10.0.0.0/24", "10.1.0.0/24", "no 10.2.0.0/24")
	})
}
