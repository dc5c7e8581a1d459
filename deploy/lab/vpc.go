package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Addresses of the cloud's services, as in every Alibaba VPC.
const (
	metadataAddress = "100.100.100.200"
	openAPIAddress  = "100.100.100.100"
)

// vpc is the namespace that stands for the VPC's router.
type vpc struct {
	namespace string
	layout    layout
}

// buildVPC makes the router: it forwards, answers ARP for everything behind it, and holds
// the gateways' and the cloud services' addresses.
func buildVPC(name string, l layout) (vpc, error) {
	v := vpc{namespace: namespaceName(name, "vpc"), layout: l}
	if err := makeNamespace(v.namespace); err != nil {
		return v, err
	}
	err := sysctl(netnsPath(v.namespace),
		setting{"net/ipv4/ip_forward", "1"},
		setting{"net/ipv4/conf/all/rp_filter", "0"}, setting{"net/ipv4/conf/default/rp_filter", "0"},
		// A real VPC sends no redirects: hosts of one vSwitch would learn to go around the tables.
		setting{"net/ipv4/conf/all/send_redirects", "0"}, setting{"net/ipv4/conf/default/send_redirects", "0"},
		setting{"net/ipv4/conf/default/proxy_arp", "1"})
	if err != nil {
		return v, fmt.Errorf("set up the VPC: %w", err)
	}
	own := []netip.Addr{
		gatewayOf(l.mgrNet), gatewayOf(l.hostNet), gatewayOf(l.outNet),
		netip.MustParseAddr(metadataAddress), netip.MustParseAddr(openAPIAddress),
	}
	err = withHandle(v.namespace, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, a := range own {
			if err := h.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, 32))}); err != nil {
				return fmt.Errorf("add %s: %w", a, err)
			}
		}
		return h.LinkSetUp(lo)
	})
	if err != nil {
		return v, fmt.Errorf("set up the VPC: %w", err)
	}
	return v, nil
}

// attach makes a namespace with eth0 in the vSwitch and plugs it into the VPC at port.
func (v vpc) attach(namespace, port string, addr netip.Addr, vswitch netip.Prefix) error {
	if err := makeNamespace(namespace); err != nil {
		return err
	}
	// Docker sets the FORWARD policy to DROP when it is the one to turn forwarding on.
	if err := sysctl(netnsPath(namespace), setting{"net/ipv4/ip_forward", "0"}); err != nil {
		return err
	}
	if err := v.plug(namespace, port, addr); err != nil {
		return fmt.Errorf("plug %s into the VPC: %w", namespace, err)
	}
	// Otherwise the kernel waits up to 0.8 s before it answers ARP for others.
	if err := sysctl(netnsPath(v.namespace), setting{"net/ipv4/neigh/" + port + "/proxy_delay", "0"}); err != nil {
		return err
	}
	err := address(namespace, netip.PrefixFrom(addr, vswitch.Bits()), gatewayOf(vswitch))
	if err != nil {
		return fmt.Errorf("give %s its address %s: %w", namespace, addr, err)
	}
	return nil
}

// plug makes the veth pair port (in the VPC) and eth0 (in the namespace) without touching
// the namespace of this process.
func (v vpc) plug(namespace, port string, addr netip.Addr) error {
	peer, err := netns.GetFromName(namespace)
	if err != nil {
		return err
	}
	defer func() { _ = peer.Close() }()
	return withHandle(v.namespace, func(h *netlink.Handle) error {
		pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "eth0", PeerNamespace: netlink.NsFd(int(peer))}
		pair.Name = port
		if err := h.LinkAdd(pair); err != nil {
			return err
		}
		link, err := h.LinkByName(port)
		if err != nil {
			return err
		}
		if err := h.LinkSetUp(link); err != nil {
			return err
		}
		return h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(netip.PrefixFrom(addr, 32)), Scope: netlink.SCOPE_LINK})
	})
}

// address configures eth0 of a namespace, and the way out of it.
func address(namespace string, addr netip.Prefix, gateway netip.Addr) error {
	return withHandle(namespace, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		eth0, err := h.LinkByName("eth0")
		if err != nil {
			return err
		}
		return errors.Join(
			h.LinkSetUp(lo),
			h.AddrAdd(eth0, &netlink.Addr{IPNet: ipNet(addr)}),
			h.LinkSetUp(eth0),
			h.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: gateway.AsSlice()}))
	})
}

// withHandle runs fn with a netlink handle that works in the named namespace.
func withHandle(namespace string, fn func(*netlink.Handle) error) error {
	ns, err := netns.GetFromName(namespace)
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", namespace, err)
	}
	defer func() { _ = ns.Close() }()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("netlink in namespace %s: %w", namespace, err)
	}
	defer h.Close()
	return fn(h)
}

// ipNet keeps the host bits, as an interface's address needs them.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}
