package host

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// takeOver makes the kernel forget the translation of connections between newly kept
// pairs, so that they go on with their own source address from the next packet on. Pairs
// that were kept before are left alone.
func takeOver(had source, from, to []span, done func(Kind, string)) error {
	n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, masqueraded{had, from, to})
	if err != nil {
		return fmt.Errorf("take over running connections: %w", hint(err))
	}
	if n > 0 {
		done(KindFlows, fmt.Sprintf("%d running connections now keep their source", n))
	}
	return nil
}

// masqueraded matches connections from kept source to kept destination that still carry
// another source address.
type masqueraded struct {
	had      source
	from, to []span
}

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (m masqueraded) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	src, ok1 := address(f.Forward.SrcIP)
	dst, ok2 := address(f.Forward.DstIP)
	if !ok1 || !ok2 || f.Reverse.DstIP.Equal(f.Forward.SrcIP) {
		return false
	}
	kept := within(m.from, src) && within(m.to, dst)
	was := m.had.intact && within(m.had.from, src) && within(m.had.to, dst)
	return kept && !was
}

func address(ip net.IP) (netip.Addr, bool) {
	return netip.AddrFromSlice(ip.To4())
}

func within(spans []span, a netip.Addr) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.contains(a) })
}
