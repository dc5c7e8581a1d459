package machine_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
)

// TestRouterAdvertisements sends one, and wants its route kept through all changes.
func TestRouterAdvertisements(t *testing.T) {
	s := newSettled(t)
	shell(t, `
		ip link set wire addrgenmode none
		ip link set wire up
		ip -6 addr add fe80::1/64 dev wire nodad`)
	advertise(t)
	routed := func() bool {
		return strings.Contains(shell(t, "ip -6 route show default dev eth0"), "fe80::1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); !routed(); <-tick {
		if ctx.Err() != nil {
			t.Fatal("the advertisement gave no route")
		}
	}
	shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
	refused := s.wish()
	refused.Leave = append(refused.Leave, host.PartRouterAdv)
	if out := machine.New(s.opts).Apply(t.Context(), refused); !errors.Is(out.Failures[host.PartForwarding], api.ErrRefused) || !strings.Contains(out.Err().Error(), "eth0") {
		t.Errorf("forwarding turned on with accept_ra left at 1: %v", out.Err())
	}
	s.want("ipv4/ip_forward 1", "ipv6/conf/all/forwarding 0")
	if text := s.file(); strings.Contains(text, "ipv6") || !strings.Contains(text, "ip_forward = 1") {
		t.Errorf("the file is to have what was made, and no more:\n%s", text)
	}
	s.apply(s.wish())
	s.want("ipv6/conf/all/forwarding 1", "ipv6/conf/eth0/accept_ra 2")
	if !routed() {
		t.Error("the route is lost with forwarding turned on")
	}
	s.restore()
	s.want("ipv6/conf/all/forwarding 0", "ipv6/conf/eth0/accept_ra 1")
	if !routed() {
		t.Error("the route is lost with forwarding turned off")
	}
}

// advertise sends a router advertisement from wire, for half an hour.
func advertise(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	from, to := &unix.SockaddrInet6{}, &unix.SockaddrInet6{Addr: netip.MustParseAddr("ff02::1").As16()}
	from.Addr = netip.MustParseAddr("fe80::1").As16()
	link, err := netlink.LinkByName("wire")
	if err != nil {
		t.Fatal(err)
	}
	from.ZoneId, to.ZoneId = uint32(link.Attrs().Index), uint32(link.Attrs().Index)
	message := []byte{134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255),
		unix.Bind(fd, from),
		unix.Sendto(fd, message, 0, to))
	if err != nil {
		t.Fatal(err)
	}
}
