package route_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netns"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/route"
)

// inSpace runs a test in a network namespace with an uplink, whose default route leads to a
// gateway, and a bridge.
func inSpace(t testing.TB, test func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)      // also when the test ends within
		runtime.LockOSThread() // for good: the thread, and the namespace with it, end with the goroutine
		space, err := netns.New()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = space.Close() }()
		shell(t, `ip link set lo up
			sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
			ip link add eth0 type veth peer name far; ip link set far up; ip link set eth0 up
			ip addr add 192.168.0.11/20 dev eth0; ip route add default via 192.168.15.253 proto dhcp
			ip link add docker0 type bridge; ip addr add 10.0.0.1/24 dev docker0; ip link set docker0 up`)
		test()
	}()
	<-done
}

// shell runs a script in the namespace of the calling thread.
func shell(t testing.TB, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func newReader() *route.Reader { return route.New(slog.New(slog.DiscardHandler)) }

func question(remotes ...string) host.PathQuestion {
	q := host.PathQuestion{Uplink: "eth0", Locals: []host.Local{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "docker0"}}}
	for _, r := range remotes {
		q.Remotes = append(q.Remotes, netip.MustParsePrefix(r))
	}
	return q
}

// lines are the look-ups as text.
func lines(p host.Path) string {
	var b strings.Builder
	for _, l := range p.Lookups {
		fmt.Fprintf(&b, "in=%s %v", l.In, l.To)
		if l.Part.IsValid() {
			fmt.Fprintf(&b, " part %s", l.Part)
		}
		fmt.Fprintf(&b, " %s", l.Fate)
		if l.Device != "" {
			fmt.Fprintf(&b, " dev %s", l.Device)
		}
		if l.NextHop.IsValid() {
			fmt.Fprintf(&b, " via %s", l.NextHop)
		}
		if l.Route.IsValid() {
			fmt.Fprintf(&b, " route %s table %d proto %s", l.Route, l.Table, l.Owner)
		}
		if l.Cause != nil {
			fmt.Fprintf(&b, " %v", l.Cause)
		}
		b.WriteString("\n")
	}
	return b.String()
}

const fine = `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`

func TestWays(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"fine", "true", fine},
		{"static route", "ip route add 10.1.0.0/24 via 192.168.1.50", `in= [10.1.0.0/24] sent dev eth0 via 192.168.1.50 route 10.1.0.0/24 table 254 proto boot
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.1.50 route 10.1.0.0/24 table 254 proto boot
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"tunnel over all", "ip link add tun9 type bridge; ip link set tun9 up; ip route add 10.0.0.0/8 dev tun9 proto static", `in= [10.1.0.0/24] sent dev tun9 route 10.0.0.0/8 table 254 proto static
in=docker0 [10.1.0.0/24] sent dev tun9 route 10.0.0.0/8 table 254 proto static
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"rule and table", "ip rule add pref 5270 lookup 52; ip route add 10.1.0.0/24 via 192.168.1.50 table 52 proto bird", `in= [10.1.0.0/24] sent dev eth0 via 192.168.1.50 route 10.1.0.0/24 table 52 proto bird
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.1.50 route 10.1.0.0/24 table 52 proto bird
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"rule for one bridge", "ip rule add iif docker0 lookup 52; ip route add blackhole default table 52", `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] blackhole route 0.0.0.0/0 table 52 proto boot
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"rule for some containers", "ip rule add from 10.0.0.64/26 lookup 52; ip route add prohibit default table 52", `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] prohibited route 0.0.0.0/0 table 52 proto boot
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"rule that drops", "ip rule add from 10.1.0.0/24 blackhole", `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=eth0 [10.0.0.0/24] blackhole
in=eth0 [10.0.0.0/24] blackhole
`},
		{"one of two ways", "ip link add tun9 type bridge; ip link set tun9 up; ip addr add 172.29.9.2/24 dev tun9; ip route add 10.1.0.0/24 nexthop via 192.168.15.253 dev eth0 weight 250 nexthop via 172.29.9.9 dev tun9", `in= [10.1.0.0/24] sent dev tun9 via 172.29.9.9 route 10.1.0.0/24 table 254 proto boot
in=docker0 [10.1.0.0/24] sent dev tun9 via 172.29.9.9 route 10.1.0.0/24 table 254 proto boot
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"rule for a port", "ip rule add pref 77 to 10.1.0.0/24 ipproto tcp dport 80 prohibit; ip rule add pref 78 to 10.9.0.0/24 ipproto tcp prohibit", fine +
			"in=docker0 [10.1.0.0/24] unknown rule 77 of routing tells them by protocol or port, which is not tried: not supported here\n"},
		{"a part of a subnet", "ip link add tun9 type bridge; ip link set tun9 up; ip route add 10.1.0.128/25 dev tun9; ip route add 10.0.0.128/25 dev tun9", `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in= [10.1.0.0/24] part 10.1.0.128/25 sent dev tun9 route 10.1.0.128/25 table 254 proto boot
in=docker0 [10.1.0.0/24] part 10.1.0.128/25 sent dev tun9 route 10.1.0.128/25 table 254 proto boot
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
in=eth0 [10.0.0.0/24] part 10.0.0.128/25 sent dev tun9 route 10.0.0.128/25 table 254 proto boot
`},
		{"bridge without address", "ip addr flush dev docker0", `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=eth0 [10.0.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
`},
		{"no default route", "ip route del default; ip route add unreachable 10.1.0.0/24", `in= [10.1.0.0/24] unreachable route 10.1.0.0/24 table 254 proto boot
in=docker0 [10.1.0.0/24] unreachable route 10.1.0.0/24 table 254 proto boot
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"forwarding off on one link", "sysctl -qw net.ipv4.conf.docker0.forwarding=0", `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] unknown forwarding of docker0 is off
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
`},
		{"strict filter", "sysctl -qw net.ipv4.conf.all.rp_filter=1; ip link add tun9 type bridge; ip link set tun9 up; ip route add 10.1.0.0/24 dev tun9", `in= [10.1.0.0/24] sent dev tun9 route 10.1.0.0/24 table 254 proto boot
in=docker0 [10.1.0.0/24] sent dev tun9 route 10.1.0.0/24 table 254 proto boot
in=eth0 [10.0.0.0/24] martian
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inSpace(t, func() {
				shell(t, tt.script)
				p, err := newReader().Read(question("10.1.0.0/24"))
				if err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(tt.want, lines(p)); diff != "" {
					t.Errorf("ways (-want +have):\n%s", diff)
				}
			})
		})
	}
}

func TestIPv6Ways(t *testing.T) {
	inSpace(t, func() {
		shell(t, `ip addr add fd00:1::1/64 dev docker0 nodad; ip addr add fd00:ff::11/64 dev eth0 nodad; ip -6 route add default via fd00:ff::1 proto static
			ip link add tun9 type bridge; ip link set tun9 up; ip -6 route add fd00:2::/64 dev tun9`)
		q := host.PathQuestion{Uplink: "eth0", Locals: []host.Local{{Prefix: netip.MustParsePrefix("fd00:1::/64"), Bridge: "docker0"}}}
		q.Remotes = []netip.Prefix{netip.MustParsePrefix("fd00:2::/64"), netip.MustParsePrefix("fd00:3::/64")}
		p, err := newReader().Read(q)
		if err != nil {
			t.Error(err)
		}
		want := `in= [fd00:2::/64] sent dev tun9 route fd00:2::/64 table 254 proto boot
in=docker0 [fd00:2::/64] sent dev tun9 route fd00:2::/64 table 254 proto boot
in= [fd00:3::/64] sent dev eth0 via fd00:ff::1 route ::/0 table 254 proto static
in=docker0 [fd00:3::/64] sent dev eth0 via fd00:ff::1 route ::/0 table 254 proto static
in=eth0 [fd00:1::/64] sent dev docker0 route fd00:1::/64 table 254 proto kernel
`
		if diff := cmp.Diff(want, lines(p)); diff != "" {
			t.Errorf("ways (-want +have):\n%s", diff)
		}
	})
}

func TestLinks(t *testing.T) {
	inSpace(t, func() {
		shell(t, "ip link set docker0 down; ip link set eth0 mtu 8500; sysctl -qw net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.docker0.rp_filter=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.docker0.forwarding=0")
		q := question("10.1.0.0/24")
		q.Locals = append(q.Locals, host.Local{Prefix: netip.MustParsePrefix("10.5.0.0/24"), Bridge: "br-gone"})
		p, err := newReader().Read(q)
		if err != nil {
			t.Error(err)
		}
		want := []host.Link{
			{Name: "br-gone"},
			{Name: "docker0", There: true, Forwarding6: true, MTU: 1500},
			{Name: "eth0", There: true, Up: true, Forwarding: true, Forwarding6: true, ReversePath: 2, MTU: 8500},
		}
		if diff := cmp.Diff(want, p.Links); diff != "" {
			t.Errorf("links (-want +have):\n%s", diff)
		}
	})
}

// many are n subnets that no route but the default one is about, and one that has its own.
func many(n int) host.PathQuestion {
	q := question("10.1.0.0/24")
	for i := range n - 1 {
		q.Remotes = append(q.Remotes, netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 0}), 24))
	}
	return q
}

// TestAsksLittle wants as many questions for 10,000 subnets as for two.
func TestAsksLittle(t *testing.T) {
	inSpace(t, func() {
		shell(t, "ip route add 10.1.0.0/24 via 192.168.1.50")
		var have []string
		for _, n := range []int{2, 10_000} {
			r := newReader()
			if _, err := r.Read(many(n)); err != nil {
				t.Error(err)
			}
			have = append(have, r.String())
		}
		if diff := cmp.Diff([]string{"5 questions", "5 questions"}, have); diff != "" {
			t.Errorf("asked (-want +have):\n%s", diff)
		}
	})
}

func TestFollow(t *testing.T) {
	inSpace(t, func() {
		r := newReader()
		ctx, stop := context.WithCancel(t.Context())
		woken := make(chan struct{}, 1000)
		ended := make(chan struct{})
		space, err := netns.Get()
		if err != nil {
			t.Error(err)
			stop()
			return
		}
		go func() {
			defer close(ended)
			runtime.LockOSThread()
			if err := netns.Set(space); err != nil {
				t.Error(err)
			}
			r.Follow(ctx, func() { woken <- struct{}{} })
		}()
		<-woken // it listens
		for _, script := range []string{
			"ip route add 10.1.0.0/24 via 192.168.1.50", "ip route del 10.1.0.0/24", "ip rule add pref 5270 lookup 52", "ip link set docker0 down",
			"ip link set docker0 up", "ip addr add 10.7.0.1/24 dev docker0", "sysctl -qw net.ipv4.conf.docker0.forwarding=0", "ip -6 route add fd00:9::/64 dev eth0",
		} {
			drain(woken)
			shell(t, script)
			select {
			case <-woken:
			case <-time.After(10 * time.Second):
				t.Errorf("%s was not seen", script)
			}
		}
		stop()
		<-ended
	})
}

func drain(c <-chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			inSpace(b, func() {
				q := many(n)
				for b.Loop() {
					if _, err := newReader().Read(q); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// TestMarks wants packets asked about with the mark that the host's rules give them.
func TestMarks(t *testing.T) {
	inSpace(t, func() {
		shell(t, "ip rule add fwmark 7 lookup 52; ip route add blackhole default table 52")
		q := question("10.1.0.0/24")
		q.Marks = []host.Marking{{In: "docker0", Mark: 7}}
		p, err := newReader().Read(q)
		if err != nil {
			t.Error(err)
		}
		want := strings.Replace(fine, "in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp",
			"in=docker0 [10.1.0.0/24] blackhole route 0.0.0.0/0 table 52 proto boot", 1)
		if diff := cmp.Diff(want, lines(p)); diff != "" {
			t.Errorf("ways (-want +have):\n%s", diff)
		}
	})
}

// TestMarksOfSome wants packets that alone carry a mark asked about by themselves, and where only a
// port carries one no more said than is known.
func TestMarksOfSome(t *testing.T) {
	inSpace(t, func() {
		shell(t, "ip rule add fwmark 7 prohibit")
		q := question("10.1.0.0/24", "10.2.0.0/24")
		q.Marks = []host.Marking{
			{In: "docker0", To: q.Remotes[1:], Mark: 7},
			{In: "eth0", From: q.Remotes[1:], Mark: 7},
			{In: "docker0", To: q.Remotes[:1], Mark: 7, Limits: "tcp to port 80"},
		}
		p, err := newReader().Read(q)
		if err != nil {
			t.Error(err)
		}
		want := `in= [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.1.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in= [10.2.0.0/24] sent dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp
in=docker0 [10.2.0.0/24] prohibited
in=eth0 [10.0.0.0/24] sent dev docker0 route 10.0.0.0/24 table 254 proto kernel
in=eth0 [10.0.0.0/24] prohibited
in=docker0 [10.1.0.0/24] unknown dev eth0 via 192.168.15.253 route 0.0.0.0/0 table 254 proto dhcp tcp to port 80 carries mark 0x7, with which it goes another way: not supported here
`
		if diff := cmp.Diff(want, lines(p)); diff != "" {
			t.Errorf("ways (-want +have):\n%s", diff)
		}
	})
}
