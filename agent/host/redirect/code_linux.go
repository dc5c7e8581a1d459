// Package redirect gets packets through Docker's own nft table without asking Docker. It is
// one program on the uplink's ingress. What comes from another host and is for a subnet here,
// it hands to that subnet's bridge as if it came from there, which Docker lets pass in all of
// its chains. It runs ahead of every hook of netfilter and needs no option of the engine. It
// looks at addresses only, so a fragment goes where its first one went. Hosts come and go by
// entries of its maps.
package redirect

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// What the program is known by on an interface.
const (
	redirectName   = "sealane"
	redirectPref   = 100
	redirectHandle = 1
)

// Where things are in the context, which is struct __sk_buff and never changes, and on the
// stack of the program.
const (
	ctxPacketType  = 4
	ctxProtocol    = 16
	ctxVLAN        = 20
	keyDestination = -20
	keySource      = -40
	keyAddress     = 4 // in a key
	scratch        = -48
)

// code is a program in the making.
type code struct{ asm.Instructions }

func (c *code) add(more ...asm.Instruction) { c.Instructions = append(c.Instructions, more...) }

// load copies bytes of the packet, counted from its network header, to the stack. The
// offset is an instruction that puts it into R2.
func (c *code) load(offset asm.Instruction, to, size int32) {
	const fromNetworkHeader = 1 // BPF_HDR_START_NET
	c.add(asm.Mov.Reg(asm.R1, asm.R6), offset, asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, to), asm.Mov.Imm(asm.R4, size),
		asm.Mov.Imm(asm.R5, fromNetworkHeader), asm.FnSkbLoadBytesRelative.Call(), asm.JNE.Imm(asm.R0, 0, "pass"))
}

func at(offset int32) asm.Instruction { return asm.Mov.Imm(asm.R2, offset) }

// loaded puts a byte that was copied to the scratch place into R0.
func loaded(n int16) asm.Instruction { return asm.LoadMem(asm.R0, asm.RFP, scratch+n, asm.Byte) }

// lookup puts the address of a map's value into R0.
func (c *code) lookup(fd int, key int32, miss string) {
	c.add(asm.LoadMapPtr(asm.R1, fd), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, key), asm.FnMapLookupElem.Call(), asm.JEq.Imm(asm.R0, 0, miss))
}

// makeProgram is what runs for each packet.
func makeProgram(locals, remotes int) *ebpf.ProgramSpec {
	c := &code{}
	c.keys()
	c.add(asm.Mov.Imm(asm.R0, 0).WithSymbol("find"))
	c.lookup(locals, keyDestination, "pass")
	c.add(asm.Mov.Reg(asm.R7, asm.R0), asm.LoadMem(asm.R8, asm.R7, 0, asm.Word), asm.JEq.Imm(asm.R8, 0, "pass"))
	c.lookup(remotes, keySource, "stranger")
	c.handOver()
	c.stranger()
	const unspecified = -1 // TC_ACT_UNSPEC: the next filter decides
	c.add(asm.Mov.Imm(asm.R0, unspecified).WithSymbol("pass"), asm.Return())
	return &ebpf.ProgramSpec{Name: redirectName, Type: ebpf.SchedCLS, License: "GPL", Instructions: c.Instructions}
}

// keys makes the keys of both addresses of a packet, if it is for this host, and not for one
// of its VLANs.
func (c *code) keys() {
	c.add(asm.Mov.Reg(asm.R6, asm.R1), asm.LoadMem(asm.R0, asm.R6, ctxPacketType, asm.Word), asm.JNE.Imm(asm.R0, unix.PACKET_HOST, "pass"),
		asm.LoadMem(asm.R0, asm.R6, ctxVLAN, asm.Word), asm.JNE.Imm(asm.R0, 0, "pass"))
	for _, key := range []int16{keyDestination, keySource} {
		c.add(asm.StoreImm(asm.RFP, key, 128, asm.Word))
		for word := range int16(4) {
			c.add(asm.StoreImm(asm.RFP, key+keyAddress+4*word, 0, asm.Word))
		}
	}
	c.add(asm.LoadMem(asm.R0, asm.R6, ctxProtocol, asm.Word), asm.JEq.Imm(asm.R0, networkOrder(unix.ETH_P_IP), "ipv4"), asm.JNE.Imm(asm.R0, networkOrder(unix.ETH_P_IPV6), "pass"))
	c.load(at(8), keySource+keyAddress, 16)
	c.load(at(24), keyDestination+keyAddress, 16)
	const mapped = keyAddress + 10 // ffff is there in a mapped address
	c.add(asm.Ja.Label("find"), asm.StoreImm(asm.RFP, keyDestination+mapped, 0xffff, asm.Half).WithSymbol("ipv4"), asm.StoreImm(asm.RFP, keySource+mapped, 0xffff, asm.Half))
	c.load(at(12), keySource+keyAddress+12, 4)
	c.load(at(16), keyDestination+keyAddress+12, 4)
}

// handOver hands a packet to the bridge that R7 and R8 tell. It is addressed to the bridge,
// or the kernel would take it for another machine's.
func (c *code) handOver() {
	const ingress = 1 // BPF_F_INGRESS
	c.add(asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("hand over"), asm.Mov.Imm(asm.R2, 0), asm.Mov.Reg(asm.R3, asm.R7), asm.Add.Imm(asm.R3, 4),
		asm.Mov.Imm(asm.R4, 6), asm.Mov.Imm(asm.R5, 0), asm.FnSkbStoreBytes.Call(), asm.JNE.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(asm.R1, asm.R8), asm.Mov.Imm(asm.R2, ingress), asm.FnRedirect.Call(), asm.Return())
}

// stranger lets through what routers on the way tell from addresses of their own: that a
// packet was too big, or took too many hops. Only a first fragment tells what it is.
func (c *code) stranger() {
	c.add(asm.LoadMem(asm.R0, asm.R6, ctxProtocol, asm.Word).WithSymbol("stranger"), asm.JNE.Imm(asm.R0, networkOrder(unix.ETH_P_IP), "stranger6"))
	c.load(at(6), scratch, 4)
	c.add(loaded(0), asm.And.Imm(asm.R0, 0x1f), asm.JNE.Imm(asm.R0, 0, "pass"), loaded(1), asm.JNE.Imm(asm.R0, 0, "pass"),
		loaded(3), asm.JNE.Imm(asm.R0, unix.IPPROTO_ICMP, "pass"))
	c.load(at(0), scratch, 1)
	c.add(loaded(0), asm.And.Imm(asm.R0, 0xf), asm.LSh.Imm(asm.R0, 2), asm.Mov.Reg(asm.R9, asm.R0)) // length of the header
	c.load(asm.Mov.Reg(asm.R2, asm.R9), scratch, 2)
	c.add(loaded(0), asm.JEq.Imm(asm.R0, 11, "hand over"), asm.JNE.Imm(asm.R0, 3, "pass"), loaded(1), asm.JEq.Imm(asm.R0, 4, "hand over"), asm.Ja.Label("pass"))

	c.add(asm.Mov.Imm(asm.R0, 0).WithSymbol("stranger6"))
	c.load(at(6), scratch, 1)
	c.add(loaded(0), asm.JNE.Imm(asm.R0, unix.IPPROTO_ICMPV6, "pass"))
	c.load(at(40), scratch, 1)
	c.add(loaded(0), asm.JEq.Imm(asm.R0, 2, "hand over"), asm.JEq.Imm(asm.R0, 3, "hand over"))
}

// networkOrder is a number of 16 bits as the processor loads it from a packet.
func networkOrder(n uint16) int32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return int32(binary.NativeEndian.Uint16(b[:]))
}

// byteOrder is that of the processor, as one of the two that the library knows.
func byteOrder() binary.ByteOrder {
	if networkOrder(1) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
