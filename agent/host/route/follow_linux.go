package route

import (
	"context"
	"encoding/binary"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// Follow calls wake when a route, a rule, a link, an address or a setting of one may send
// packets another way, until the context ends. While it runs, Read asks the kernel only after
// such a change. Docker makes and removes links for every container; those are passed over, as
// are the link-local routes that IPv6 gives them.
func (r *Reader) Follow(ctx context.Context, wake func()) {
	s, err := nl.Subscribe(
		unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	)
	if err != nil {
		r.log.Warn("changes of routes are seen by the timer only", api.KeyError, kernel.Explain(err))
		return
	}
	stop := context.AfterFunc(ctx, s.Close)
	defer stop()
	r.followed.Store(true)
	defer r.followed.Store(false)
	r.changes.Add(1)
	wake() // what changed before is not known
	err = kernel.ReadMessages(s, matters, func() {
		r.changes.Add(1)
		wake()
	})
	if ctx.Err() == nil {
		s.Close()
		r.log.Warn("changes of routes are seen by the timer only", api.KeyError, kernel.Explain(err))
	}
}

// matters reports whether a message tells of a change that can send packets another way.
func matters(m syscall.NetlinkMessage) bool {
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		const ifinfo = 16 // struct ifinfomsg
		name, _ := kernel.Attribute(m.Data, ifinfo, unix.IFLA_IFNAME)
		return !strings.HasPrefix(string(name), "veth")
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return routeMatters(m.Data)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWRULE, unix.RTM_DELRULE, unix.RTM_NEWNETCONF:
		return true
	default:
		return false
	}
}

// routeMatters passes over what every link gets of IPv6.
func routeMatters(data []byte) bool {
	const rtmsg = 12 // struct rtmsg
	if len(data) < rtmsg || data[0] != unix.AF_INET6 {
		return true
	}
	dst, ok := kernel.Attribute(data, rtmsg, unix.RTA_DST)
	if !ok || len(dst) != 16 {
		return true
	}
	const linkLocal, multicast = 0xfe80, 0xff00
	head := binary.BigEndian.Uint16(dst)
	return head&0xffc0 != linkLocal && head&0xff00 != multicast
}
