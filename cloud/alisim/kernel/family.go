package kernel

import (
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/cloud/alisim"
)

// family is a version of IP, as the kernel's parts know it.
type family struct {
	name           string // in the names of sets
	netlink        int
	nfproto        byte
	bits           int
	source, target uint32 // offsets of the addresses in the header
	kind           nftables.SetDatatype
}

func v4() family {
	return family{"v4", netlink.FAMILY_V4, unix.NFPROTO_IPV4, 32, 12, 16, nftables.TypeIPAddr}
}

func v6() family {
	return family{"v6", netlink.FAMILY_V6, unix.NFPROTO_IPV6, 128, 8, 24, nftables.TypeIP6Addr}
}

func families() []family { return []family{v4(), v6()} }

// routedFamilies are the families that packets of a VPC are routed by. A kernel may lack IPv6.
func routedFamilies(world alisim.Seed) []family {
	if slices.ContainsFunc(world.VPCs, func(v alisim.VPC) bool { return v.IPv6.IsValid() }) {
		return families()
	}
	return []family{v4()}
}

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return v4()
	}
	return v6()
}

// peerOffset is where a packet's header has the address of the other end.
func (f family) peerOffset(d alisim.Direction) uint32 {
	if d == alisim.Ingress {
		return f.source
	}
	return f.target
}

// ownOffset is where a packet's header has the address of the interface itself.
func (f family) ownOffset(d alisim.Direction) uint32 { return f.source + f.target - f.peerOffset(d) }

// addressesOf picks the addresses of the family.
func (f family) addressesOf(all []netip.Addr) []netip.Addr {
	var its []netip.Addr
	for _, a := range all {
		if a.BitLen() == f.bits {
			its = append(its, a)
		}
	}
	return its
}

// ipNet is a prefix as netlink takes it.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// prefixOf is a destination as netlink gives it: nil is the default route.
func (f family) prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		n = &net.IPNet{IP: make(net.IP, f.bits/8), Mask: net.CIDRMask(0, f.bits)}
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	if f.bits == 32 {
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, bits)
}
