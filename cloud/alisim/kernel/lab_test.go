package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// namespace is a network namespace of a test's own, reached by a path under /proc while its
// handle is open.
type namespace struct {
	ns     netns.NsHandle
	handle *netlink.Handle
}

func (n namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(n.ns)) }

// newNamespace makes an unnamed namespace, which goes when the test ends.
func newNamespace(t *testing.T) namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	var n namespace
	err := inThread(func() (err error) {
		n.ns, err = netns.New()
		return err
	})
	if errors.Is(err, os.ErrPermission) {
		t.Skip("needs CAP_SYS_ADMIN: makes network namespaces")
	}
	must(t, err)
	t.Cleanup(func() { _ = n.ns.Close() })
	n.handle, err = netlink.NewHandleAt(n.ns)
	must(t, err)
	t.Cleanup(n.handle.Close)
	lo, err := n.handle.LinkByName("lo")
	must(t, err)
	must(t, n.handle.LinkSetUp(lo))
	// Addresses count at once: nobody else has them.
	must(t, n.do(func() error {
		return settings(map[string]string{"ipv6/conf/all/accept_dad": "0", "ipv6/conf/default/accept_dad": "0"})
	}))
	return n
}

func settings(values map[string]string) error {
	for name, value := range values {
		if err := os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// inThread runs f in a thread of its own that ends with it, so that a namespace it enters
// is nobody else's.
func inThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

func (n namespace) do(f func() error) error {
	return inThread(func() error {
		if err := netns.Set(n.ns); err != nil {
			return err
		}
		return f()
	})
}

// vpc is a namespace that forwards.
func newVPC(t *testing.T) namespace {
	t.Helper()
	n := newNamespace(t)
	must(t, n.do(func() error {
		return settings(map[string]string{
			"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0", "ipv6/conf/all/forwarding": "1",
		})
	}))
	return n
}

// plug makes an instance with its address, joined to the VPC by a veth named link there,
// and returns its namespace. Containers' addresses go to lo.
func plug(t *testing.T, v namespace, link, ip string, containers ...string) namespace {
	t.Helper()
	return plugAll(t, v, link, []string{ip}, containers)
}

// plugAll is plug for several addresses of either family.
func plugAll(t *testing.T, v namespace, link string, own, containers []string) namespace {
	t.Helper()
	n := newNamespace(t)
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: link}, PeerName: "eth0", PeerNamespace: netlink.NsFd(n.ns)}
	must(t, v.handle.LinkAdd(pair))
	port, err := v.handle.LinkByName(link)
	must(t, err)
	address(t, v.handle, port, "169.254.1.1")
	address(t, v.handle, port, "fe80::1")
	must(t, v.handle.LinkSetUp(port))
	eth0, err := n.handle.LinkByName("eth0")
	must(t, err)
	must(t, n.handle.LinkSetUp(eth0))
	for _, ip := range own {
		must(t, v.handle.RouteAdd(&netlink.Route{LinkIndex: port.Attrs().Index, Dst: host(ip), Scope: netlink.SCOPE_LINK}))
		address(t, n.handle, eth0, ip)
	}
	lo, err := n.handle.LinkByName("lo")
	must(t, err)
	for _, c := range containers {
		address(t, n.handle, lo, c)
	}
	for all, gateway := range map[string]string{"0.0.0.0/0": "169.254.1.1", "::/0": "fe80::1"} {
		must(t, n.handle.RouteAdd(&netlink.Route{
			LinkIndex: eth0.Attrs().Index, Dst: ipNet(all), Gw: net.ParseIP(gateway), Flags: int(netlink.FLAG_ONLINK),
		}))
	}
	return n
}

func address(t *testing.T, h *netlink.Handle, link netlink.Link, ip string) {
	t.Helper()
	must(t, h.AddrAdd(link, &netlink.Addr{IPNet: host(ip)}))
}

// host is the network of one address.
func host(ip string) *net.IPNet {
	a := netip.MustParseAddr(ip)
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

func ipNet(cidr string) *net.IPNet {
	p := netip.MustParsePrefix(cidr)
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// echo answers UDP at an address inside a namespace until the test ends.
func echo(t *testing.T, n namespace, ip string) {
	t.Helper()
	var conn *net.UDPConn
	must(t, n.do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip), Port: 7})
		return err
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for {
			k, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDP(buf[:k], from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
}

// answers reports whether a packet from one address to another comes back.
func answers(t *testing.T, n namespace, from, to string) bool {
	t.Helper()
	var conn *net.UDPConn
	must(t, n.do(func() (err error) {
		conn, err = net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)}, &net.UDPAddr{IP: net.ParseIP(to), Port: 7})
		return err
	}))
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(100*time.Millisecond)))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return false
	}
	_, err := conn.Read(make([]byte, 64))
	return err == nil
}

// eventually asks until the answer is yes; else it says what more is known.
func eventually(t *testing.T, what string, ask func() bool, more ...func() any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			for _, m := range more {
				t.Logf("%+v", m())
			}
			t.Fatalf("not in time: %s", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addrs reads addresses with spaces between them.
func addrs(text string) []netip.Addr {
	var all []netip.Addr
	for field := range strings.FieldsSeq(text) {
		all = append(all, netip.MustParseAddr(field))
	}
	return all
}

func texts(all []netip.Addr) []string {
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.String()
	}
	return out
}
