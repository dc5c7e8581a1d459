package kernel

import (
	"net/netip"

	"github.com/vishvananda/netlink"
)

// PrefixOf is an interface's address with its mask, host bits kept.
func PrefixOf(a netlink.Addr) netip.Prefix {
	addr, _ := netip.AddrFromSlice(a.IP)
	bits, _ := a.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}
