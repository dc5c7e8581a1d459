package kernel

import (
	"encoding/binary"
	"math"
	"net"
	"net/netip"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/cloud/alisim"
)

// dropForeign drops what a checked interface sends with a source, or is sent with a
// destination, that is not its own.
func dropForeign(ip family, d alisim.Direction) []expr.Any {
	return []expr.Any{
		loadLink(d), &expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: setChecked},
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: unix.NFT_REG_1}, compareWith([]byte{ip.nfproto}),
		// The name fills register 1, and the address goes behind it.
		loadLink(d), loadAddress(ip, ip.ownOffset(d), unix.NFT_REG_2),
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: ownSet(ip), Invert: true},
		endWith(expr.VerdictDrop),
	}
}

// dropLinks drops what comes from, or goes to, the links in a set.
func dropLinks(d alisim.Direction, set string) []expr.Any {
	return []expr.Any{loadLink(d), &expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: set}, endWith(expr.VerdictDrop)}
}

// acceptNeighbours lets pass what IPv6 says on the link itself, from fe80::/10 (RFC 4861).
func acceptNeighbours() []expr.Any {
	return append(matchNetwork(netip.MustParsePrefix("fe80::/10"), alisim.Ingress), endWith(expr.VerdictAccept))
}

// acceptReplies lets pass what belongs to a connection that was let pass. Groups are stateful,
// https://www.alibabacloud.com/help/en/ecs/user-guide/security-group-rules.
func acceptReplies() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: unix.NFT_REG_1},
		&expr.Bitwise{
			SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED), Xor: make([]byte, 4),
		},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: make([]byte, 4)},
		endWith(expr.VerdictAccept),
	}
}

// jumpByLink goes to the chain that a map has for the link. What has none passes.
func jumpByLink(d alisim.Direction, links string) []expr.Any {
	return []expr.Any{
		loadLink(d),
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: links, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true},
	}
}

// loadLink loads the port that a packet comes in by, where it leaves an instance, or goes out by.
func loadLink(d alisim.Direction) expr.Any {
	if d == alisim.Egress {
		return &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: unix.NFT_REG_1}
	}
	return &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: unix.NFT_REG_1}
}

// groupVerdict ends a chain of groups. What it accepts returns, as the groups at the packet's
// other end have a word to say too.
func groupVerdict(accept bool) expr.Any {
	if accept {
		return endWith(expr.VerdictReturn)
	}
	return endWith(expr.VerdictDrop)
}

// matchService matches protocol and destination port.
func matchService(v alisim.Verdict) []expr.Any {
	var match []expr.Any
	if n := protocolNumber(v.Protocol); n != 0 {
		match = append(match, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1}, compareWith([]byte{n}))
	}
	if v.First == 0 && v.Last == math.MaxUint16 {
		return match
	}
	return append(match,
		&expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2, DestRegister: unix.NFT_REG_1},
		&expr.Cmp{Op: expr.CmpOpGte, Register: unix.NFT_REG_1, Data: binary.BigEndian.AppendUint16(nil, v.First)},
		&expr.Cmp{Op: expr.CmpOpLte, Register: unix.NFT_REG_1, Data: binary.BigEndian.AppendUint16(nil, v.Last)})
}

// protocolNumber is 0 for ALL.
func protocolNumber(name string) byte {
	return map[string]byte{
		"TCP": unix.IPPROTO_TCP, "UDP": unix.IPPROTO_UDP, "GRE": unix.IPPROTO_GRE, "ICMP": unix.IPPROTO_ICMP, "ICMPV6": unix.IPPROTO_ICMPV6,
	}[name]
}

// matchNetwork matches packets whose other end lies in a network.
func matchNetwork(p netip.Prefix, d alisim.Direction) []expr.Any {
	ip := familyOf(p.Addr())
	return append(matchFamily(ip), loadAddress(ip, ip.peerOffset(d), unix.NFT_REG_1),
		&expr.Bitwise{
			SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: uint32(ip.bits / 8),
			Mask: net.CIDRMask(p.Bits(), ip.bits), Xor: make([]byte, ip.bits/8),
		},
		compareWith(p.Masked().Addr().AsSlice()))
}

// matchSet matches packets whose other end is in a set.
func matchSet(ip family, set string, d alisim.Direction) []expr.Any {
	return append(matchFamily(ip), loadAddress(ip, ip.peerOffset(d), unix.NFT_REG_1), &expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: set})
}

func matchFamily(ip family) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: unix.NFT_REG_1}, compareWith([]byte{ip.nfproto})}
}

func loadAddress(ip family, offset, register uint32) expr.Any {
	return &expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(ip.bits / 8), DestRegister: register}
}

func compareWith(data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: data}
}

func endWith(kind expr.VerdictKind) expr.Any { return &expr.Verdict{Kind: kind} }

// ifname is the name of a link as rules and sets compare it.
func ifname(name string) []byte {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return padded
}

func ownSet(ip family) string { return "own-" + ip.name }
