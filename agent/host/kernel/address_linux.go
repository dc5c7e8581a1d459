package kernel

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// PrefixOf is an interface's address with its mask, host bits kept.
func PrefixOf(a netlink.Addr) netip.Prefix {
	addr, _ := netip.AddrFromSlice(a.IP)
	bits, _ := a.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}

// Bridges are all Linux bridges, by name, with their addresses.
func Bridges() ([]host.Bridge, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, Wrap("list interfaces", err)
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, Wrap("list addresses", err)
	}
	var found []host.Bridge
	for _, link := range links {
		if link.Type() != "bridge" {
			continue
		}
		b := host.Bridge{Name: link.Attrs().Name, Up: link.Attrs().OperState == netlink.OperUp}
		for _, a := range addrs {
			if a.LinkIndex == link.Attrs().Index && !a.IP.IsLinkLocalUnicast() {
				b.Addresses = append(b.Addresses, PrefixOf(a))
			}
		}
		slices.SortFunc(b.Addresses, api.ComparePrefixes)
		found = append(found, b)
	}
	slices.SortFunc(found, func(a, b host.Bridge) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}
