package agent_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/api"
)

// examine looks at the host and tells answers and findings, one a line.
func (b *bench) examine(q agent.Question) string {
	b.t.Helper()
	x, err := agent.Examine(b.t.Context(), b.config, b.host, b.registry, q)
	if err != nil {
		b.t.Fatal(err)
	}
	var lines []string
	for _, a := range x.Answers {
		lines = append(lines, a.String())
	}
	for _, f := range x.Findings {
		lines = append(lines, string(f.Code)+" "+string(f.Severity)+" "+f.Text)
	}
	return strings.Join(lines, "\n")
}

func TestExamineNamesEveryPeer(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.other("i-c", "192.168.0.3", "10.2.0.0/24")
		b.start()
		b.host.SetRoute("10.2.0.0/24", "tun9", "")
		b.host.SetRules(forwardRules("ACCEPT", "-A FORWARD -s 10.1.0.0/24 -p tcp --dport 8080 -j DROP\n"))
		want := `10.1.0.0/24 -> 10.0.0.0/24 (docker0, new): of these, tcp to port 8080 is dropped by iptables-nft, table ip filter, chain FORWARD, rule 1: -A FORWARD -s 10.1.0.0/24 -p tcp --dport 8080 -j DROP
10.2.0.0/24 -> 10.0.0.0/24 (docker0, new): passes
10.0.0.0/24 -> 10.1.0.0/24 (docker0, new): passes
10.0.0.0/24 -> 10.2.0.0/24 (docker0, new): lost: packets for 10.2.0.0/24 of host i-c (other) leave by tun9, not by eth0: route 10.2.0.0/24 in table main, made by boot`
		have := slices.DeleteFunc(strings.Split(b.examine(agent.Question{}), "\n"), func(line string) bool {
			return strings.Contains(line, "established") || strings.Contains(line, "192.168.") || strings.HasPrefix(line, "SL-")
		})
		if diff := cmp.Diff(want, strings.Join(have, "\n")); diff != "" {
			t.Errorf("answers (-want +have):\n%s", diff)
		}
	})
}

// TestExamineWithDeadBridge wants no packet called passing over an interface that is down.
func TestExamineWithDeadBridge(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		b.host.TakeDown("docker0", true)
		text := b.examine(agent.Question{})
		if strings.Contains(text, "passes") || !strings.Contains(text, "10.0.0.0/24 -> 10.1.0.0/24 (docker0, new): lost: docker0 is down") {
			t.Errorf("not lost:\n%s", text)
		}
	})
}

// TestExamineOnePacket asks for single packets: the routes and the rules decide.
func TestExamineOnePacket(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.other("i-c", "192.168.0.3", "10.2.0.0/24")
		b.start()
		b.host.SetRoute("10.2.0.0/24", "tun9", "")
		b.host.SetRules(forwardRules("ACCEPT", "-A FORWARD -s 10.1.0.0/24 -p tcp --dport 8080 -j DROP\n"))
		for _, tt := range []struct {
			from, to string
			port     uint16
			want     string
		}{
			{"10.0.0.2", "10.1.0.2", 80, "passes"},
			{"10.1.0.2", "10.0.0.2", 80, "passes"},
			{"10.1.0.2", "10.0.0.2", 8080, "dropped by iptables-nft, table ip filter, chain FORWARD, rule 1"},
			{"10.0.0.2", "10.2.0.2", 80, "lost: packets for 10.2.0.0/24 of host i-c (other) leave by tun9"},
			{"10.2.0.2", "10.0.0.2", 80, "passes"},
		} {
			q := agent.Question{From: netip.MustParseAddr(tt.from), To: netip.MustParseAddr(tt.to), Proto: "tcp", Port: tt.port}
			answer, _, _ := strings.Cut(b.examine(q), "\n")
			if !strings.Contains(answer, "): "+tt.want) {
				t.Errorf("%s to %s: %s, want %s", tt.from, tt.to, answer, tt.want)
			}
		}
		b.host.SetRules(firewall.Dump{NFT: "no dump"})
		answer, _, _ := strings.Cut(b.examine(agent.Question{From: netip.MustParseAddr("10.0.0.2"), To: netip.MustParseAddr("10.1.0.2"), Proto: "tcp"}), "\n")
		if !strings.Contains(answer, "unproven") {
			t.Errorf("with rules that cannot be read: %s", answer)
		}
	})
}

// TestExamineOddPackets asks about single packets: to the host itself, to another destination than it
// is meant for, over a link that is down.
func TestExamineOddPackets(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		b.host.SetRules(firewall.Dump{NFT: "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 10.1.0.7/32 -j DNAT --to-destination 192.168.0.9\nCOMMIT\n" +
			"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n-A INPUT -s 10.1.0.0/24 -j DROP\n-A FORWARD -d 192.168.0.9/32 -j DROP\nCOMMIT\n"})
		for _, tt := range []struct{ from, to, want string }{
			{"10.1.0.2", "10.0.0.2", "passes"},
			{"10.1.0.2", "10.0.0.1", "dropped by iptables-nft, table ip filter, chain INPUT, rule 1"},
			{"10.1.0.2", b.config.Identity.IP.String(), "dropped by iptables-nft, table ip filter, chain INPUT, rule 1"},
			{"10.1.0.7", "10.0.0.2", "lost: sent to 192.168.0.9 by iptables-nft, table ip nat, chain PREROUTING, rule 1"},
		} {
			text := b.examine(agent.Question{From: netip.MustParseAddr(tt.from), To: netip.MustParseAddr(tt.to), Proto: "tcp", Port: 80})
			if first, _, _ := strings.Cut(text, "\n"); !strings.Contains(first, tt.want) {
				t.Errorf("%s to %s: %s, want %s", tt.from, tt.to, first, tt.want)
			}
		}
		b.host.TakeDown("docker0", true)
		if text := b.examine(agent.Question{From: netip.MustParseAddr("10.0.0.2"), To: netip.MustParseAddr("10.1.0.2"), Proto: "tcp", Port: 80}); !strings.Contains(text, "lost: docker0 is down") {
			t.Errorf("a dead link is passed:\n%s", text)
		}
	})
}

// TestExamineTellsRefusedSubnets wants a subnet that another host holds told by a look, too.
func TestExamineTellsRefusedSubnets(t *testing.T) {
	onBench(t, func(b *bench) {
		b.other("i-b", "192.168.0.2", "10.0.0.0/24")
		b.host.SetBridge("docker0", "10.0.0.1/24")
		if text := b.examine(agent.Question{}); !strings.Contains(text, "SL-F006 failure refused 10.0.0.0/24 of i-a (alpha): overlaps-claim") {
			t.Errorf("no refusal in\n%s", text)
		}
	})
}

// TestExamineSaysUnproven wants nothing called passing while rules could not be read.
func TestExamineSaysUnproven(t *testing.T) {
	onBench(t, func(b *bench) {
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		b.host.SetRules(firewall.Dump{Unread: []firewall.Unread{{Source: "nftables", Reason: "the command nft is not installed"}}})
		text := b.examine(agent.Question{})
		if strings.Contains(text, "passes") || !strings.Contains(text, "unproven: nftables could not be read") || !strings.Contains(text, "SL-F028 warning") {
			t.Errorf("not unproven:\n%s", text)
		}
		b.settle()
		b.wantCodes(api.FindingUnproven)
	})
}

// TestExamineWithoutRegistry wants what is remembered to stand in, and the network named that
// takes the registry's address.
func TestExamineWithoutRegistry(t *testing.T) {
	onBench(t, func(b *bench) {
		b.config.Memory = b.host
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.other("i-b", "192.168.0.2", "10.1.0.0/24")
		b.start()
		b.registry.Fail(api.ErrUnreachable)
		b.host.SetBridge("br-stack", "192.168.0.200/24")
		text := b.examine(agent.Question{Registry: []netip.Addr{netip.MustParseAddr("192.168.0.10")}})
		for _, want := range []string{
			"10.1.0.0/24 -> 10.0.0.0/24 (docker0, new): passes",
			"packets for the registry at 192.168.0.10 stay on this host: bridge br-stack takes 192.168.0.0/24",
			"the registry is out of reach, so the other hosts are as of",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	})
}
