package nft

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host/kernel"
)

// Group is the netlink group, of protocol NETLINK_NETFILTER, that announces every change of
// nftables.
const Group = unix.NFNLGRP_NFTABLES

// Transaction is who made a change of nftables, and which it was.
type Transaction struct {
	Generation uint32 // the kernel's count after it
	PID        int    // of the process; 0 if an old kernel does not tell
	Command    string // its name; likewise
}

// ReadTransaction reads a message of the group. One that does not end a transaction is none.
func ReadTransaction(m syscall.NetlinkMessage) (t Transaction, ends bool) {
	if m.Header.Type != unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN {
		return t, false
	}
	if id, ok := attribute(m.Data, unix.NFTA_GEN_ID); ok && len(id) == 4 {
		t.Generation = binary.BigEndian.Uint32(id)
	}
	if pid, ok := attribute(m.Data, unix.NFTA_GEN_PROC_PID); ok && len(pid) == 4 {
		t.PID = int(binary.BigEndian.Uint32(pid))
	}
	if name, ok := attribute(m.Data, unix.NFTA_GEN_PROC_NAME); ok {
		t.Command = unix.ByteSliceToString(name)
	}
	return t, true
}

// attribute finds a netlink attribute of a message about nftables.
func attribute(data []byte, kind uint16) ([]byte, bool) {
	const header = 4 // struct nfgenmsg
	return kernel.Attribute(data, header, kind)
}
