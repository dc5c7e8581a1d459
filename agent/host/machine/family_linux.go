package machine

import (
	"github.com/google/nftables"

	"github.com/sealane/sealane/agent/host"
)

func nftFamily(f host.Family) nftables.TableFamily {
	if f == host.IPv6 {
		return nftables.TableFamilyIPv6
	}
	return nftables.TableFamilyIPv4
}

// addressType is what nft calls an address of the family.
func addressType(f host.Family) string {
	if f == host.IPv6 {
		return "ipv6_addr"
	}
	return "ipv4_addr"
}

// header tells where a packet of the family has its addresses, and how long they are.
func headerOf(f host.Family) (source, target, size uint32) {
	if f == host.IPv6 {
		return 8, 24, 16
	}
	return 12, 16, 4
}
