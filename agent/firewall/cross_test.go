package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestListingAgrees: iptables-nft's tables, read from the nft listing alone, say the same as
// iptables-save does, packet by packet; but for matches that nft cannot print.
func TestListingAgrees(t *testing.T) {
	asked := 0
	for _, f := range fixtures(t) {
		if f.backend != "iptables" || f.state == "agent-applied" {
			continue
		}
		listed, err := Parse(Dump{Ruleset: f.read(t, "nft-ruleset.json")})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.cells() {
			got, want := listed.Forward(c.packet), f.rules.Forward(c.packet)
			if len(got.Unsure) > 0 {
				if !strings.Contains(got.Unsure[0].Text, "xt match") {
					t.Errorf("%s: %s -> %s: unsure of %v", f.name, c.from, c.to, got.Unsure)
				}
				continue
			}
			asked++
			if got.Dropped != want.Dropped || got.Src != want.Src || got.Dst != want.Dst || got.Masqueraded != want.Masqueraded ||
				got.By.Chain != want.By.Chain || got.By.Number != want.By.Number {
				t.Errorf("%s: %s -> %s: listing %+v, save %+v", f.name, c.from, c.to, got, want)
			}
		}
	}
	if asked < 500 {
		t.Errorf("%d packets, fewer than there should be", asked)
	}
}

// TestOver6: what the captured IPv6 rules do. Up to 26 there are none; 27 sets the policy; from
// 28 on they are those of IPv4. No packets were measured over IPv6.
func TestOver6(t *testing.T) {
	remote := netip.MustParseAddr("fd10:2::2")
	final, policy := "-j DROP", "policy DROP"
	want := map[string]struct {
		published, other blocker
		masked           bool
	}{
		"20.10.24-iptables-ipv6": {},
		"24.0.7-iptables-ipv6":   {},
		"26.1.5-iptables-ipv6":   {},
		"27.5.1-iptables-ipv6":   {other: blocker{"filter", "FORWARD", policy}, masked: true},
		"28.0.4-iptables-ipv6":   {blocker{"raw", "PREROUTING", "--dport 80"}, blocker{"filter", "DOCKER", final}, true},
		"28.5.2-iptables-ipv6":   {blocker{"raw", "PREROUTING", final}, blocker{"raw", "PREROUTING", final}, true},
		"29.7.2-iptables-ipv6":   {blocker{"raw", "PREROUTING", final}, blocker{"raw", "PREROUTING", final}, true},
		"29.7.2-nftables-ipv6":   {blocker{"docker-bridges", "raw-PREROUTING", "DIRECT"}, blocker{"docker-bridges", "raw-PREROUTING", "DIRECT"}, true},
	}
	for _, f := range fixtures(t) {
		if f.state != "ipv6" {
			continue
		}
		w, ok := want[f.name]
		if !ok {
			t.Fatalf("nothing said about %s", f.name)
		}
		i := slices.IndexFunc(f.bridges, func(b bridge) bool { return len(b.over6) > 0 })
		br, addr := f.bridges[i].name, f.bridges[i].over6[0]
		out := cell{from: "container", to: "remote", packet: tcp(br, "eth0", addr, remote, port), masked: w.masked}
		in := cell{from: "remote", to: "published", packet: tcp("eth0", br, remote, addr, port), by: &w.published}
		other := cell{from: "remote", to: "ping", packet: ping("eth0", br, remote, addr), by: &w.other}
		other.packet.ICMPType = 128
		t.Run(f.name, func(t *testing.T) {
			for _, c := range []cell{out, in, other} {
				if c.by != nil && *c.by == (blocker{}) {
					c.by = nil
				}
				v := f.rules.Forward(c.packet)
				c.check(t, v)
				if v.Dropped && v.By.Family != "ip6" {
					t.Errorf("dropped by %s", v.By)
				}
			}
		})
	}
}

// TestSameSlate: a Ruleset may be walked again, and by many; a walk leaves nothing behind.
func TestSameSlate(t *testing.T) {
	r, err := Parse(Dump{NFT: iptables("mangle", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -j MARK --set-xmark 0x1/0x1") +
		iptables("nat", ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -j MASQUERADE")})
	if err != nil {
		t.Fatal(err)
	}
	first := r.Forward(forwarded(nil))
	t.Run("many", func(t *testing.T) {
		for range 4 {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				v := r.Forward(forwarded(nil))
				if v.Dropped != first.Dropped || v.Masqueraded != first.Masqueraded || v.Dst != first.Dst {
					t.Errorf("got %+v, first %+v", v, first)
				}
			})
		}
	})
}
