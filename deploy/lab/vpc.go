package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/deploy/lab/netns"
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
	if err := netns.Make(v.namespace); err != nil {
		return v, err
	}
	err := netns.WriteSettings(netns.Path(v.namespace),
		"net/ipv4/ip_forward=1",
		"net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0",
		// A real VPC sends no redirects: hosts of one vSwitch would learn to go around the tables.
		"net/ipv4/conf/all/send_redirects=0", "net/ipv4/conf/default/send_redirects=0",
		"net/ipv4/conf/default/proxy_arp=1")
	if err != nil {
		return v, fmt.Errorf("set up the VPC: %w", err)
	}
	own := []netip.Addr{
		gatewayOf(l.mgrNet), gatewayOf(l.hostNet), gatewayOf(l.outNet),
		netip.MustParseAddr(metadataAddress), netip.MustParseAddr(openAPIAddress),
	}
	err = netns.WithLinks(v.namespace, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, a := range own {
			if err := h.AddrAdd(lo, &netlink.Addr{IPNet: netns.IPNet(netip.PrefixFrom(a, 32))}); err != nil {
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
	if err := netns.Make(namespace); err != nil {
		return err
	}
	// Docker sets the FORWARD policy to DROP when it is the one to turn forwarding on.
	if err := netns.WriteSettings(netns.Path(namespace), "net/ipv4/ip_forward=0"); err != nil {
		return err
	}
	if err := v.plug(namespace, port, addr); err != nil {
		return fmt.Errorf("plug %s into the VPC: %w", namespace, err)
	}
	// Otherwise the kernel waits up to 0.8 s before it answers ARP for others.
	if err := netns.WriteSettings(netns.Path(v.namespace), "net/ipv4/neigh/"+port+"/proxy_delay=0"); err != nil {
		return err
	}
	err := netns.SetAddress(namespace, netip.PrefixFrom(addr, vswitch.Bits()), gatewayOf(vswitch))
	if err != nil {
		return fmt.Errorf("give %s its address %s: %w", namespace, addr, err)
	}
	return nil
}

// plug makes the veth pair port (in the VPC) and eth0 (in the namespace) without touching
// the namespace of this process.
func (v vpc) plug(namespace, port string, addr netip.Addr) error {
	return netns.WithLinks(v.namespace, func(h *netlink.Handle) error {
		link, err := netns.AddVeth(h, port, 0, namespace)
		if err != nil {
			return err
		}
		return h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: netns.IPNet(netip.PrefixFrom(addr, 32)), Scope: netlink.SCOPE_LINK})
	})
}
