package firewall

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// TestKernelAgrees makes rules by chance, loads them into a router between two network
// namespaces, and compares what becomes of real packets with what a dump of them says. The
// seed is one that once found a difference, so that a run is repeatable; -seed=0 takes a new one.
func TestKernelAgrees(t *testing.T) {
	if testing.Short() {
		t.Skip("sends packets through network namespaces: not in short mode")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	for _, tool := range []string{"ip", "nft", "iptables-nft-restore", "iptables-legacy-restore"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	n := newNet(t)
	if out, err := exec.Command("ip", "netns", "exec", n.router, "iptables-legacy-save").CombinedOutput(); err != nil {
		t.Skipf("needs iptables-legacy in the kernel: %s", out)
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	made := dice{rand.New(rand.NewPCG(*seed, 0))}
	arrived := 0
	const sets = 60
	for range sets {
		arrived += n.compare(t, made)
	}
	t.Logf("%d of %d packets arrived", arrived, 2*sets)
	if arrived == 0 || arrived == 2*sets {
		t.Errorf("%d of %d packets arrived: chance should be fairer", arrived, 2*sets)
	}
}

// seed found that rules before connection tracking see no connection.
var seed = flag.Uint64("seed", 18388063250157573798, "of TestKernelAgrees; 0 takes one by chance")

// testNet is: sender 10.2.0.2 - eth0 router docker0 - receiver 10.1.0.2.
type testNet struct {
	router   string
	sender   netns.NsHandle
	receiver map[uint16]*net.UDPConn // by port
	from     uint16
}

func newNet(t *testing.T) *testNet {
	t.Helper()
	id := os.Getpid()
	a, r, b := fmt.Sprintf("firewall-a%d", id), fmt.Sprintf("firewall-r%d", id), fmt.Sprintf("firewall-b%d", id)
	for _, ns := range []string{a, r, b} {
		run(t, "", "ip", "netns", "add", ns)
		t.Cleanup(func() { run(t, "", "ip", "netns", "del", ns) })
	}
	run(t, fmt.Sprintf(`set -e
		ip -n %[1]s link add eth0 type veth peer name eth0 netns %[2]s
		ip -n %[3]s link add eth0 type veth peer name docker0 netns %[2]s
		ip -n %[1]s addr add 10.2.0.2/24 dev eth0; ip -n %[2]s addr add 10.2.0.1/24 dev eth0
		ip -n %[3]s addr add 10.1.0.2/24 dev eth0; ip -n %[2]s addr add 10.1.0.1/24 dev docker0
		for l in "%[1]s eth0" "%[2]s eth0" "%[2]s docker0" "%[3]s eth0"; do set -- $l; ip -n $1 link set $2 up; done
		ip -n %[1]s route add default via 10.2.0.1; ip -n %[3]s route add default via 10.1.0.1
		ip netns exec %[2]s sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'`, a, r, b), "sh")
	n := &testNet{router: r, receiver: map[uint16]*net.UDPConn{}, from: 20000}
	var err error
	if n.sender, err = netns.GetFromName(a); err != nil {
		t.Fatal(err)
	}
	receiver, err := netns.GetFromName(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = n.sender.Close(), receiver.Close() })
	for _, port := range []uint16{80, 81} {
		n.receiver[port] = inside(t, receiver, func() (*net.UDPConn, error) {
			return net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 1, 0, 2), Port: int(port)})
		})
	}
	return n
}

// inside opens a socket in a namespace, where it stays.
func inside(t *testing.T, ns netns.NsHandle, open func() (*net.UDPConn, error)) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := netns.Set(ns)
		if err == nil {
			c, err = open()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, stderr.String(), stdin)
	}
	return stdout.String()
}

// compare loads one set of rules and sends a packet to each port; it counts those that arrived.
func (n *testNet) compare(t *testing.T, made dice) (arrived int) {
	t.Helper()
	in := func(stdin string, args ...string) string {
		return run(t, stdin, append([]string{"ip", "netns", "exec", n.router}, args...)...)
	}
	in(made.iptables(true), "iptables-nft-restore")
	in(made.iptables(false), "iptables-legacy-restore")
	in("table ip own\ndelete table ip own\n"+made.nft(), "nft", "-f", "-")
	d := Dump{NFT: in("", "iptables-nft-save"), Legacy: in("", "iptables-legacy-save"), Ruleset: in("", "nft", "-j", "list", "ruleset")}
	rules, err := Parse(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []uint16{80, 81} {
		p := Packet{In: "eth0", Out: "docker0", Src: containerA, Dst: netip.MustParseAddr("10.1.0.2"), Proto: "udp", DstPort: port}
		v := rules.Forward(p)
		if len(v.Unsure) > 0 {
			t.Errorf("unsure of %v", v.Unsure)
		}
		want := v.Src.String()
		switch {
		case v.Dropped:
			want = ""
		case v.Masqueraded:
			want = "10.1.0.1"
		}
		got := n.send(t, port, v.DstPort, want != "")
		if got != want {
			t.Fatalf("port %d: source seen %q, want %q, by %s\n%s\n%s\n%s", port, got, want, v.By, d.NFT, d.Legacy, d.Ruleset)
		}
		if got != "" {
			arrived++
		}
	}
	return arrived
}

// send sends one packet from a fresh port and returns the source that the receiver sees, empty
// if none came. One that is not expected is given a moment, one that is, seconds.
func (n *testNet) send(t *testing.T, port, at uint16, expected bool) string {
	t.Helper()
	n.from++
	c := inside(t, n.sender, func() (*net.UDPConn, error) {
		return net.DialUDP("udp4", &net.UDPAddr{Port: int(n.from)}, &net.UDPAddr{IP: net.IPv4(10, 1, 0, 2), Port: int(port)})
	})
	token := fmt.Sprint(n.from)
	if _, err := c.Write([]byte(token)); err != nil {
		t.Fatal(err)
	}
	patience := 15 * time.Millisecond
	if expected {
		patience = 5 * time.Second
	}
	to := n.receiver[at]
	if err := to.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64)
	for {
		size, from, err := to.ReadFromUDPAddrPort(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ""
		case err != nil:
			t.Fatal(err)
		case string(buffer[:size]) == token:
			return from.Addr().Unmap().String()
		}
	}
}
