package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// SetAddress configures eth0 of a namespace, and the way out of it.
func SetAddress(namespace string, addr netip.Prefix, gateway netip.Addr) error {
	return WithLinks(namespace, func(h *netlink.Handle) error {
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
			h.AddrAdd(eth0, &netlink.Addr{IPNet: IPNet(addr)}),
			h.LinkSetUp(eth0),
			h.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: gateway.AsSlice()}))
	})
}

// WithLinks runs fn with a netlink handle that works in the named namespace.
func WithLinks(namespace string, fn func(*netlink.Handle) error) error {
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

// IPNet keeps the host bits, as an interface's address needs them.
func IPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}

// AddVeth makes a veth pair and sets it up: port through the handle, a port of the bridge with
// that index unless it is 0, and eth0 in the namespace of that name.
func AddVeth(h *netlink.Handle, port string, bridge int, namespace string) (netlink.Link, error) {
	peer, err := netns.GetFromName(namespace)
	if err != nil {
		return nil, fmt.Errorf("open namespace %s: %w", namespace, err)
	}
	defer func() { _ = peer.Close() }()
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "eth0", PeerNamespace: netlink.NsFd(int(peer))}
	pair.Name, pair.MasterIndex = port, bridge
	if err := h.LinkAdd(pair); err != nil {
		return nil, err
	}
	link, err := h.LinkByName(port)
	if err != nil {
		return nil, err
	}
	return link, h.LinkSetUp(link)
}
