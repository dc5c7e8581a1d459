package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host/hosttest"
	"github.com/sealane/sealane/api"
)

// keepsSources sets the bench up with two hosts that keep sources between them.
func (b *bench) keepsSources() {
	b.t.Helper()
	b.host.Disturb(hosttest.StartDocker)
	b.host.SetBridge("docker0", "10.0.0.1/24")
	b.other("i-b", "192.168.0.2", "10.1.0.0/24")
	b.start()
	b.registry.Alive("i-b")
	b.publish(api.StageWritten, true, map[string]api.InstanceID{"10.0.0.0/24": "i-a", "10.1.0.0/24": "i-b"})
}

// TestSettlesASwing has a rule that drops show only while our table is there, so that keeping
// sources makes the host unready and masking them makes it ready. It must come to rest within
// three rounds, be told, and be over when the outside is another.
func TestSettlesASwing(t *testing.T) {
	onBench(t, func(b *bench) {
		drops := forwardRules("DROP", "")
		b.shown = func(host string) firewall.Dump {
			if strings.Contains(host, "sealane keep") {
				return drops
			}
			return firewall.Dump{}
		}
		b.keepsSources()
		<-time.After(4 * poll)
		if own := b.own(); own.Readiness.Ready() || len(own.Findings) != 1 || own.Findings[0].Code != api.FindingSwings {
			t.Errorf("readiness %+v, findings %+v; want not ready, %s only", own.Readiness, own.Findings, api.FindingSwings)
		}
		b.wantHost("no sealane keep")
		if n := strings.Count(b.log.String(), "reason=source"); n > 6 {
			t.Errorf("the source was changed %d times, in more than three rounds:\n%s", n, b.log)
		}
		before, log := b.registry.String(), b.log.Len()
		<-time.After(20 * poll)
		if before != b.registry.String() || log != b.log.Len() {
			t.Errorf("not at rest:\n%s", b.log.String()[log:])
		}

		drops = firewall.Dump{} // which does not show; what does, has the host tried anew
		b.host.SetBridge("docker0", "10.0.0.1/24", "10.9.0.1/24")
		b.settle()
		b.wantReady()
		b.wantHost("sealane keep")
	})
}

// TestInputsInTurn does one thing after the other to a host, each of which makes it unready until
// it is undone: each is told by itself.
func TestInputsInTurn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.keepsSources()
		b.wantHost("sealane keep")
		for range 5 {
			b.host.SetBridge("docker0")
			b.settle()
			b.wantCodes(api.FindingBridgeLost)
			b.host.SetBridge("docker0", "10.0.0.1/24")
			b.settle()
			b.wantReady()
			b.wantHost("sealane keep")
		}
		for range 5 {
			b.host.SetRules(forwardRules("DROP", ""))
			b.settle()
			b.wantCodes(api.FindingDropped)
			b.wantHost("no sealane keep")
			b.host.SetRules(firewall.Dump{})
			b.settle()
			b.wantReady()
			b.wantHost("sealane keep")
		}
	})
}
