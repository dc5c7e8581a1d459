package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// setMembers lists a set; nil if it is not there, or holds what prefixes do not say: other
// things than addresses, exceptions, or addresses by a mask. The netlink library leaves
// exceptions and masks out.
func setMembers(name string) ([]netip.Prefix, error) {
	request := nl.NewNetlinkRequest(nl.IPSET_CMD_LIST|unix.NFNL_SUBSYS_IPSET<<8, nl.GetIpsetFlags(nl.IPSET_CMD_LIST))
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_NETLINK, Version: nl.NFNETLINK_V0})
	request.AddData(nl.NewRtAttr(nl.IPSET_ATTR_PROTOCOL, nl.Uint8Attr(nl.IPSET_PROTOCOL)))
	request.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(name)))
	messages, err := request.Execute(unix.NETLINK_NETFILTER, 0)
	if errors.Is(err, unix.ENOENT) || kernel.Lacks(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list set %s: %w", name, kernel.Explain(err))
	}
	members := []netip.Prefix{}
	for _, m := range messages {
		const header = 4 // struct nfgenmsg
		more, ok := readSet(m[min(header, len(m)):])
		if !ok {
			return nil, nil
		}
		members = append(members, more...)
	}
	slices.SortFunc(members, api.ComparePrefixes)
	return members, nil
}

// readSet reads a message about a set.
func readSet(message []byte) (members []netip.Prefix, ok bool) {
	for attr := range nl.ParseAttributes(message) {
		switch attr.Type & nl.NLA_TYPE_MASK {
		case nl.IPSET_ATTR_TYPENAME:
			if kind := nl.BytesToString(attr.Value); kind != "hash:net" && kind != "hash:ip" {
				return nil, false
			}
		case nl.IPSET_ATTR_DATA:
			for option := range nl.ParseAttributes(attr.Value) {
				if option.Type&nl.NLA_TYPE_MASK == nl.IPSET_ATTR_NETMASK {
					return nil, false
				}
			}
		case nl.IPSET_ATTR_ADT:
			for member := range nl.ParseAttributes(attr.Value) {
				p, ok := readMember(member.Value)
				if !ok {
					return nil, false
				}
				members = append(members, p)
			}
		}
	}
	return members, true
}

// readMember reads a member of a set; ok is false of one that is an exception.
func readMember(data []byte) (p netip.Prefix, ok bool) {
	var addr netip.Addr
	bits := -1
	for attr := range nl.ParseAttributes(data) {
		switch attr.Type & nl.NLA_TYPE_MASK {
		case nl.IPSET_ATTR_IP:
			for inner := range nl.ParseAttributes(attr.Value) {
				addr, _ = netip.AddrFromSlice(inner.Value)
			}
		case nl.IPSET_ATTR_CIDR:
			bits = int(attr.Value[0])
		case nl.IPSET_ATTR_CADT_FLAGS:
			if binary.BigEndian.Uint32(attr.Value)&nl.IPSET_FLAG_NOMATCH != 0 {
				return netip.Prefix{}, false
			}
		}
	}
	if bits < 0 {
		bits = addr.BitLen()
	}
	return netip.PrefixFrom(addr, bits), addr.IsValid()
}
