package machine_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
)

// engines are what was captured, by how they drop: the first only by policy, the others
// whatever the policy.
func engines() map[string]bool {
	all := map[string]bool{}
	for _, open := range []string{"20.10.24-iptables", "20.10.24-legacy", "23.0.15-iptables", "24.0.7-iptables", "25.0.13-iptables", "26.1.5-iptables", "27.5.1-iptables"} {
		all[open] = true
	}
	for _, shut := range []string{
		"28.0.0-iptables", "28.0.4-iptables", "28.1.1-iptables", "28.2.2-iptables", "28.5.2-iptables", "28.5.2-legacy",
		"29.1.3-iptables", "29.7.2-iptables", "29.7.2-legacy", "29.1.3-nftables", "29.7.2-nftables",
	} {
		all[shut] = false
	}
	return all
}

// TestReplay loads the rules that real engines wrote and looks with packets: who reaches a
// container before, with a wish applied, and after it was undone.
func TestReplay(t *testing.T) {
	needReplay(t)
	var all sync.WaitGroup
	slots := make(chan struct{}, 8) // they wait most of the time
	for engine, open := range engines() {
		for _, state := range []string{"plain", "published", "userbridge-published"} {
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				t.Run(engine+"-"+state, func(t *testing.T) {
					w := newWorld(t, readCapture(t, engine+"-"+state))
					way := host.WayNone
					if w.native {
						way = host.WayRedirect
					}
					w.proveAll(t, way, open)
				})
			})
		}
	}
	all.Wait()
}

// TestReplayMark is the same where Docker's own table was told to accept a mark.
func TestReplayMark(t *testing.T) {
	needReplay(t)
	for _, name := range []string{"29.1.3-nftables-published", "29.7.2-nftables-plain", "29.7.2-nftables-published", "29.7.2-nftables-userbridge-published"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, accepting(readCapture(t, name)))
			w.proveAll(t, host.WayMark, false)
		})
	}
}

// accepting is what Docker writes with its options allow-direct-routing and
// bridge-accept-fwmark.
func accepting(c capture) capture {
	c.nft = regexp.MustCompile(`(?m)^.*DROP DIRECT ACCESS.*\n`).ReplaceAllString(c.nft, "")
	c.nft = regexp.MustCompile(`(?m)(chain filter-forward-in__.*\n.*\n)`).ReplaceAllString(c.nft,
		"${1}\t\tmeta mark & 0x00010000 == 0x00010000 counter packets 0 bytes 0 accept comment \"ALLOW FW MARK\"\n")
	return c
}

func needReplay(t *testing.T) {
	t.Helper()
	needRoot(t)
	for _, tool := range []string{"iptables-nft-restore", "iptables-legacy-restore", "tc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	if _, err := os.Stat(fixtures); err != nil {
		t.Fatal("the captured rules are not there:", err)
	}
}

// proveAll proves a way on one engine's rules. On open engines a published port is open to
// everybody by the container's address.
func (w *world) proveAll(t *testing.T, way host.Way, open bool) {
	before := w.dump(t)
	outside := "-"
	if open {
		outside = "open"
	}
	direct := way == host.WayMark // and not yet guarded
	w.wantIn(t, "before", outside, outside, direct)
	w.wantOut(t, "before", hostB)

	wish := w.wish(way)
	w.mustApply(t, wish)
	w.wantIn(t, "applied", "all", outside, false)
	w.wantOut(t, "applied", hostB)
	w.wantIdle(t, wish)

	wish.Keep, wish.KeepFrom = wish.Remotes, []netip.Prefix{wish.Locals[0].Prefix}
	for _, l := range wish.Locals[1:] {
		wish.KeepFrom = append(wish.KeepFrom, l.Prefix)
	}
	w.mustApply(t, wish)
	w.wantIn(t, "kept", "all", outside, false)
	w.wantOut(t, "kept", "")
	w.wantTransfer(t)
	w.wantIdle(t, wish)

	w.b.in(t, func() {
		if _, err := w.host.Restore(t.Context()); err != nil {
			t.Errorf("restore: %v", err)
		}
	})
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
	w.wantIn(t, "restored", outside, outside, direct)
}

func (w *world) wish(way host.Way) host.Wish {
	return host.Wish{
		Uplink: "eth0", Forward: true, Locals: w.bridges, Way: way,
		Remotes: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")},
		Peers:   []netip.Addr{netip.MustParseAddr(hostA)},
	}
}

func (w *world) mustApply(t *testing.T, wish host.Wish) {
	t.Helper()
	if err := w.apply(t, wish).Err(); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

// wantIdle wants that a wish fulfilled changes nothing more, also in the eyes of an agent
// that was just started.
func (w *world) wantIdle(t *testing.T, wish host.Wish) {
	t.Helper()
	if again := w.apply(t, wish).Repairs; len(again) > 0 {
		t.Errorf("applied twice, the second time repaired %v", again)
	}
}

// wantIn tries to reach the containers. Members and outsiders are let in to "all", to what
// is published ("open") or not at all ("-"); direct opens what is published to outsiders.
func (w *world) wantIn(t *testing.T, when, members, outsiders string, direct bool) {
	t.Helper()
	answers := map[probe]string{}
	for c := range w.containers {
		published := w.published[c]
		let := func(from *space, as, who string) {
			for _, port := range []string{"", ":80", ":82"} {
				seen := "-"
				if who == "all" || (who == "open" || direct) && published && port == ":80" {
					seen = as
					if port == "" {
						seen = "ok"
					}
				}
				answers[probe{from, as, c.String() + port}] = seen
			}
		}
		let(w.peer, containerA, members)
		let(w.peer, hostA, members)
		let(w.outside, outsider, outsiders)
		for _, b := range w.bridges {
			if b.Prefix.Contains(c) {
				let(w.b, b.Prefix.Addr().Next().String(), "all")
			}
		}
		if !published {
			continue
		}
		port := map[bool]string{true: ":8080", false: ":8082"}[netip.MustParsePrefix("10.1.0.0/24").Contains(c)]
		answers[probe{w.outside, outsider, hostB + port}] = outsider
		answers[probe{w.peer, containerA, hostB + port}] = containerA
	}
	want(t, when, answers)
}

// wantOut wants the containers to reach others, seen from masked toward another host's
// containers, from their own address if that is empty. All else is masqueraded by Docker.
func (w *world) wantOut(t *testing.T, when, masked string) {
	t.Helper()
	answers := map[probe]string{}
	for c, inside := range w.containers {
		seen := masked
		if seen == "" {
			seen = c.String()
		}
		answers[probe{inside, "", containerA}] = "ok"
		answers[probe{inside, "", containerA + ":80"}] = seen
		answers[probe{inside, "", hostA + ":82"}] = hostB
		answers[probe{inside, "", outsider + ":80"}] = hostB
	}
	want(t, when, answers)
}

// wantTransfer wants much, and large datagrams, to arrive as it was sent, both ways; much
// also past a hop that takes smaller packets only, where the router tells the sender so, at
// the address the sender shows and from its own.
func (w *world) wantTransfer(t *testing.T) {
	t.Helper()
	sent := make([]byte, 4<<20)
	_, _ = rand.Read(sent)
	both := func(network, port string, size int) {
		for c, inside := range w.containers {
			for _, way := range []struct {
				from *space
				as   string
				to   string
			}{{w.peer, containerA, c.String()}, {inside, c.String(), containerA}} {
				way.from.in(t, func() {
					if err := echo(network, way.as, way.to+port, sent[:size]); err != nil {
						t.Errorf("%d bytes by %s to %s and back: %v", size, network, way.to, err)
					}
				})
			}
		}
	}
	both("udp4", ":90", 9000)
	both("tcp4", ":82", len(sent))
	shell(t, "ip -n "+w.router.name+" link set to3 mtu 1300")
	both("tcp4", ":82", len(sent))
	shell(t, "ip -n "+w.router.name+" link set to3 mtu 1500")
}

// echo sends something and wants it back.
func echo(network, from, to string, sent []byte) error {
	local, err := net.ResolveTCPAddr("tcp4", from+":0")
	if err != nil {
		return err
	}
	d := net.Dialer{LocalAddr: local, Timeout: 5 * time.Second}
	if network == "udp4" {
		d.LocalAddr = &net.UDPAddr{IP: local.IP}
	}
	c, err := d.Dial(network, to)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		failed <- err
	}()
	got := make([]byte, len(sent))
	if network == "tcp4" {
		greeting := len(fmt.Sprintln(from))
		if _, err := io.CopyN(io.Discard, c, int64(greeting)); err != nil {
			return err
		}
		_, err = io.ReadFull(c, got)
	} else {
		_, err = c.Read(got)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return fmt.Errorf("came back as something else")
	}
	return <-failed
}
