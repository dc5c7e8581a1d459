package machine

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/mark"
	"github.com/sealane/sealane/api"
)

// freeMark is a bit of a packet's mark that is not among those used; zero if all are. The
// low half is left to others as long as possible, as most give their marks small numbers.
func freeMark(used uint32) uint32 {
	for bit := range 32 {
		mark := uint32(1) << ((bit + 16) % 32)
		if used&mark == 0 {
			return mark
		}
	}
	return 0
}

// usedMarks are the bits of a packet's mark that rules of this host look at or set, in
// nftables, in either variant of iptables and in policy routing. All of them must be read.
func (h *Host) usedMarks(ctx context.Context) (uint32, error) {
	dump := h.dump(ctx)
	if len(dump.Unread) > 0 {
		return 0, fmt.Errorf("find the marks in use: %s: %w", dump.Unread[0], api.ErrUnsupported)
	}
	all, err := firewall.Parse(dump)
	if err != nil {
		return 0, fmt.Errorf("find the marks in use: %w", err)
	}
	used := all.UsedMarks(mark.TableName)
	rules, err := netlink.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return 0, fmt.Errorf("list routing rules: %w", kernel.Explain(err))
	}
	for _, r := range rules {
		mask := ^uint32(0)
		if r.Mask != nil {
			mask = *r.Mask
		}
		used |= firewall.MarkBits(r.Mark, mask)
	}
	return used, nil
}
