package machine

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host/kernel"
)

// generation is the kernel's count of changes to nftables in this network namespace,
// whoever made them and in whatever table.
func generation() (uint32, error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	messages, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil {
		return 0, fmt.Errorf("read the generation of nftables: %w", kernel.Explain(err))
	}
	for _, m := range messages {
		if id, ok := attribute(m, unix.NFTA_GEN_ID); ok && len(id) == 4 {
			return binary.BigEndian.Uint32(id), nil
		}
	}
	return 0, fmt.Errorf("read the generation of nftables: the kernel told none")
}

// sight is what was read of nftables at a count of the kernel's. An idle host is asked for
// the count only.
type sight[T any] struct {
	count uint32
	known bool
	value T
}

// look reads anew if the kernel counted a change since. Without nftables in the kernel there
// is nothing to read.
func (s *sight[T]) look(read func(*nftables.Conn) (T, error)) (T, error) {
	var none T
	count, err := generation()
	if kernel.Lacks(err) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	if s.known && s.count == count {
		return s.value, nil
	}
	conn, err := nftables.New()
	if err != nil {
		return none, fmt.Errorf("open nftables: %w", err)
	}
	value, err := read(conn)
	if err != nil {
		return none, err
	}
	*s = sight[T]{count, true, value}
	return value, nil
}

// nftTables names the tables of nftables of all families.
func nftTables(conn *nftables.Conn) (map[string]bool, error) {
	tables, err := conn.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", kernel.Explain(err))
	}
	names := map[string]bool{}
	for _, t := range tables {
		names[t.Name] = true
	}
	return names, nil
}
