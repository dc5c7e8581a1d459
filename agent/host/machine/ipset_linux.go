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
		more, ok := readSet(m)
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
	const header = 4 // struct nfgenmsg
	kind, told := kernel.Attribute(message, header, nl.IPSET_ATTR_TYPENAME)
	if told && !slices.Contains([]string{"hash:net", "hash:ip"}, nl.BytesToString(kind)) {
		return nil, false
	}
	options, _ := kernel.Attribute(message, header, nl.IPSET_ATTR_DATA)
	if _, masked := kernel.Attribute(options, 0, nl.IPSET_ATTR_NETMASK); masked {
		return nil, false
	}
	list, _ := kernel.Attribute(message, header, nl.IPSET_ATTR_ADT)
	all, err := nl.ParseRouteAttr(list)
	if err != nil {
		return nil, false
	}
	for _, member := range all {
		p, ok := readMember(member.Value)
		if !ok {
			return nil, false
		}
		members = append(members, p)
	}
	return members, true
}

// readMember reads a member of a set; ok is false of one that is an exception.
func readMember(data []byte) (p netip.Prefix, ok bool) {
	flags, _ := kernel.Attribute(data, 0, nl.IPSET_ATTR_CADT_FLAGS)
	if len(flags) == 4 && binary.BigEndian.Uint32(flags)&nl.IPSET_FLAG_NOMATCH != 0 {
		return netip.Prefix{}, false
	}
	ip, _ := kernel.Attribute(data, 0, nl.IPSET_ATTR_IP)
	inner, err := nl.ParseRouteAttr(ip) // of either family
	if err != nil || len(inner) != 1 {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(inner[0].Value)
	bits := addr.BitLen()
	if length, told := kernel.Attribute(data, 0, nl.IPSET_ATTR_CIDR); told {
		bits = int(length[0])
	}
	return netip.PrefixFrom(addr, bits), ok
}
