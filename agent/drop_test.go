package agent_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/api"
)

// forwardRules is a dump with these rules in FORWARD.
func forwardRules(policy, rules string) firewall.Dump {
	return firewall.Dump{NFT: "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD " + policy + " [0:0]\n:OUTPUT ACCEPT [0:0]\n" + rules + "COMMIT\n"}
}

// TestEachPeerIsAsked wants a rule told that is about one of the peers or one port.
func TestEachPeerIsAsked(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rules    firewall.Dump
		severity api.Severity
		texts    []string
	}{
		{"second peer", forwardRules("ACCEPT", "-A FORWARD -s 10.2.0.0/24 -j DROP\n"), api.Failure, []string{"packets from 10.2.0.0/24 of host i-c (other) to 10.0.0.0/24 (docker0) are dropped by"}},
		{"one port", forwardRules("ACCEPT", "-A FORWARD -p tcp --dport 8080 -j DROP\n"), api.Warning, []string{"packets of tcp to port 8080 from", "--dport 8080"}},
		{"one container", forwardRules("ACCEPT", "-A FORWARD -s 10.2.0.7 -j DROP\n"), api.Warning, []string{"packets from 10.2.0.7/32"}},
		{"all but one port", forwardRules("DROP", "-A FORWARD -p tcp --dport 22 -j ACCEPT\n"), api.Failure, []string{"policy DROP"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.host.SetBridge("docker0", "10.0.0.1/24")
				b.other("i-b", "192.168.0.2", "10.1.0.0/24")
				b.other("i-c", "192.168.0.3", "10.2.0.0/24")
				b.start()
				b.wantReady()
				b.host.SetRules(tt.rules)
				b.settle()
				b.wantText(api.FindingDropped, tt.texts...)
				own := b.own()
				if own.Findings[0].Severity != tt.severity || own.Readiness.Ready() != (tt.severity != api.Failure) {
					t.Errorf("severity %s, ready %t; want %s", own.Findings[0].Severity, own.Readiness.Ready(), tt.severity)
				}
			})
		})
	}
}

// TestMomentsDrop wants a drop of less than a second not told, and what works not withdrawn.
func TestMomentsDrop(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		at := b.own().At
		b.host.SetRules(forwardRules("DROP", ""))
		<-time.After(900 * time.Millisecond)
		b.host.SetRules(firewall.Dump{})
		b.settle()
		if own := b.own(); !own.At.Equal(at) || !own.Readiness.Ready() {
			t.Errorf("a moment's drop was reported: %+v", own)
		}
	})
}
