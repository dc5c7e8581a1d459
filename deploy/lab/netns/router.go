package netns

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Router is a namespace that stands for the router of a VPC.
type Router struct{ Namespace string }

// NewRouter makes the router: it forwards, answers ARP for everything behind it, and holds its
// own addresses, those of gateways and services.
func NewRouter(namespace string, own []netip.Addr) (Router, error) {
	r := Router{Namespace: namespace}
	if err := Make(r.Namespace); err != nil {
		return r, err
	}
	err := WriteSettings(Path(r.Namespace),
		"net/ipv4/ip_forward=1",
		"net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0",
		// A real VPC sends no redirects: hosts of one vSwitch would learn to go around the tables.
		"net/ipv4/conf/all/send_redirects=0", "net/ipv4/conf/default/send_redirects=0",
		"net/ipv4/conf/default/proxy_arp=1")
	if err != nil {
		return r, fmt.Errorf("set up the VPC: %w", err)
	}
	err = WithLinks(r.Namespace, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, a := range own {
			if err := h.AddrAdd(lo, &netlink.Addr{IPNet: IPNet(netip.PrefixFrom(a, 32))}); err != nil {
				return fmt.Errorf("add %s: %w", a, err)
			}
		}
		return h.LinkSetUp(lo)
	})
	if err != nil {
		return r, fmt.Errorf("set up the VPC: %w", err)
	}
	return r, nil
}

// Attach makes a namespace whose eth0 has an address in its vSwitch, with that gateway, and
// plugs it into the VPC at port.
func (r Router) Attach(namespace, port string, addr netip.Prefix, gateway netip.Addr) error {
	if err := Make(namespace); err != nil {
		return err
	}
	// Docker sets the FORWARD policy to DROP when it is the one to turn forwarding on.
	if err := WriteSettings(Path(namespace), "net/ipv4/ip_forward=0"); err != nil {
		return err
	}
	if err := r.addPort(namespace, port, addr.Addr()); err != nil {
		return fmt.Errorf("plug %s into the VPC: %w", namespace, err)
	}
	// Otherwise the kernel waits up to 0.8 s before it answers ARP for others.
	if err := WriteSettings(Path(r.Namespace), "net/ipv4/neigh/"+port+"/proxy_delay=0"); err != nil {
		return err
	}
	err := SetAddress(namespace, addr, gateway)
	if err != nil {
		return fmt.Errorf("give %s its address %s: %w", namespace, addr, err)
	}
	return nil
}

// addPort makes the veth pair port (in the VPC) and eth0 (in the namespace) without touching
// the namespace of this process.
func (r Router) addPort(namespace, port string, addr netip.Addr) error {
	return WithLinks(r.Namespace, func(h *netlink.Handle) error {
		link, err := AddVeth(h, port, 0, namespace)
		if err != nil {
			return err
		}
		return h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: IPNet(netip.PrefixFrom(addr, 32)), Scope: netlink.SCOPE_LINK})
	})
}
