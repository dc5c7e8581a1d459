package agent_test

import (
	"fmt"
	"strings"
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
		{"replies", forwardRules("ACCEPT", "-A FORWARD -i docker0 -m conntrack --ctstate ESTABLISHED -j DROP\n"), api.Failure, []string{"packets from 10.0.0.0/24 to 10.1.0.0/24", "--ctstate ESTABLISHED"}},
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

// TestUnclearRules wants it told where a rule that is not understood may drop what passes otherwise,
// and where packets are sent to another address.
func TestUnclearRules(t *testing.T) {
	nat := func(rule string) firewall.Dump {
		return firewall.Dump{NFT: "*nat\n:PREROUTING ACCEPT [0:0]\n" + rule + "COMMIT\n"}
	}
	for _, tt := range []struct {
		name  string
		rules firewall.Dump
		code  api.Code
		texts []string
		ready bool
	}{
		{"a queue", forwardRules("ACCEPT", "-A FORWARD -s 10.1.0.0/24 -j NFQUEUE --queue-num 9\n"), api.FindingUnproven, []string{"-j NFQUEUE --queue-num 9"}, true},
		{"chance", forwardRules("ACCEPT", "-A FORWARD -m statistic --mode random --probability 0.5 -j DROP\n"), api.FindingUnproven, []string{"may drop them", "statistic"}, true},
		{"fragments", forwardRules("ACCEPT", "-A FORWARD -f -j DROP\n"), "", nil, true},
		{"an accept that changes nothing", forwardRules("ACCEPT", "-A FORWARD -m statistic --mode random --probability 0.5 -j ACCEPT\n"), "", nil, true},
		{"another destination", nat("-A PREROUTING -s 10.1.0.0/24 -j DNAT --to-destination 192.168.0.9\n"), api.FindingDropped, []string{"packets from 10.1.0.0/24", "are sent to another address by", "--to-destination 192.168.0.9"}, false},
		{"another destination, and dropped there", firewall.Dump{NFT: nat("-A PREROUTING -s 10.1.0.0/24 -j DNAT --to-destination 192.168.0.9\n").NFT + forwardRules("DROP", "-A FORWARD -d 10.0.0.0/24 -j ACCEPT\n-A FORWARD -s 10.0.0.0/24 -j ACCEPT\n").NFT}, api.FindingDropped, []string{"packets from 10.1.0.0/24", "are sent to another address by", "--to-destination 192.168.0.9"}, false},
		{"a proxy for one port", nat("-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128\n"), api.FindingDropped, []string{"packets of tcp to port 80", "are sent to another address by"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.host.SetBridge("docker0", "10.0.0.1/24")
				b.other("i-b", "192.168.0.2", "10.1.0.0/24")
				b.host.SetRules(tt.rules)
				b.start()
				if tt.code == "" {
					b.wantCodes()
				} else {
					b.wantText(tt.code, tt.texts...)
				}
				if b.own().Readiness.Ready() != tt.ready {
					t.Errorf("ready %t, want %t", b.own().Readiness.Ready(), tt.ready)
				}
			})
		})
	}
}

// TestManyDrops wants the grave ones of many rules told first, and the report to stay small.
func TestManyDrops(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		rules := ""
		for port := range 200 {
			rules += fmt.Sprintf("-A FORWARD -p tcp --dport %d -j DROP\n", 1000+port)
			rules += fmt.Sprintf("-A FORWARD -p udp --dport %d -m statistic --mode random --probability 0.5 -j DROP\n", 1000+port)
		}
		b.host.SetRules(forwardRules("ACCEPT", rules+"-A FORWARD -s 10.1.0.0/24 -j DROP\n"))
		b.start()
		own := b.own()
		text := fmt.Sprint(own.Findings)
		for _, want := range []string{"-A FORWARD -s 10.1.0.0/24 -j DROP", "196 more rules drop packets", "may drop them; and more"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
		if len(own.Findings) > 8 || own.Readiness.Ready() {
			t.Errorf("%d findings, ready %t", len(own.Findings), own.Readiness.Ready())
		}
	})
}

// TestLongRule wants a rule that names many addresses told, and the report to stay small.
func TestLongRule(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.host.SetRules(forwardRules("ACCEPT", "-A FORWARD -s 10.1.0.0/24 -m comment --comment \""+strings.Repeat("x", 100_000)+"\" -j DROP\n"))
		b.start()
		b.wantText(api.FindingDropped, "-A FORWARD -s 10.1.0.0/24", "xxx...")
		if n := len(b.own().Findings[0].Text); n > 2000 {
			t.Errorf("%d bytes in a finding", n)
		}
	})
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
