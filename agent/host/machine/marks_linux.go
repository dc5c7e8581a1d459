package machine

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
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
// nftables, in either variant of iptables and in policy routing.
func (h *Host) usedMarks(ctx context.Context) (uint32, error) {
	used, err := nftMarks()
	if err != nil {
		return 0, err
	}
	for _, f := range host.Families() {
		for _, v := range []host.Variant{host.NFT, host.Legacy} {
			text, err := h.rules.Text(ctx, f, v)
			if err != nil {
				return 0, err
			}
			used |= textMarks(text)
		}
	}
	rules, err := netlink.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return 0, fmt.Errorf("list routing rules: %w", kernel.Explain(err))
	}
	for _, r := range rules {
		mask := ^uint32(0)
		if r.Mask != nil {
			mask = *r.Mask
		}
		used |= markBits(r.Mark, mask)
	}
	return used, nil
}

// markBits are the bits that a mark with a mask is about. A mask of all bits is what those
// give who do not care; then the mark's own bits count.
func markBits(mark, mask uint32) uint32 {
	if mask == ^uint32(0) || mask == 0 {
		return mark
	}
	return mask
}

// textMarks are the bits in what iptables prints: options like --set-xmark 0x4000/0xf000. A
// value of all bits is a mask that leaves none out, and says nothing.
func textMarks(rules string) uint32 {
	var used uint32
	for _, m := range regexp.MustCompile(`--\S*(?:mark|mask) (0x[0-9a-f]+)(?:/(0x[0-9a-f]+))?`).FindAllStringSubmatch(rules, -1) {
		mark, _ := strconv.ParseUint(m[1], 0, 32)
		mask, _ := strconv.ParseUint(m[2], 0, 32) // 0 if there is none
		if mark != uint64(^uint32(0)) {
			used |= markBits(uint32(mark), uint32(mask))
		}
	}
	return used
}

// nftMarks are the bits in the rules of nftables. A table of ours is not asked.
func nftMarks() (uint32, error) {
	conn, err := nftables.New()
	if err != nil {
		return 0, fmt.Errorf("open nftables: %w", err)
	}
	chains, err := conn.ListChains()
	if kernel.Lacks(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list nftables chains: %w", kernel.Explain(err))
	}
	var used uint32
	for _, c := range chains {
		if c.Table.Name == markTable {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return 0, fmt.Errorf("list chain %s of table %s: %w", c.Name, c.Table.Name, kernel.Explain(err))
		}
		for _, r := range rules {
			used |= ruleMarks(r.Exprs)
		}
	}
	return used, nil
}

// ruleMarks are the bits of one rule: those compared after a mark was loaded, and those that
// are not as before when a mark is set.
func ruleMarks(exprs []expr.Any) uint32 {
	var used, value uint32
	kept, loaded := ^uint32(0), false
	for _, e := range exprs {
		switch e := e.(type) {
		case *expr.Meta:
			if e.Key == expr.MetaKeyMARK && e.SourceRegister {
				used |= ^kept | value
			}
			kept, value, loaded = ^uint32(0), 0, e.Key == expr.MetaKeyMARK && !e.SourceRegister
		case *expr.Bitwise:
			if loaded && len(e.Mask) == 4 {
				kept, value = binaryutil.NativeEndian.Uint32(e.Mask), binaryutil.NativeEndian.Uint32(e.Xor)
			}
		case *expr.Immediate:
			if len(e.Data) == 4 {
				value = binaryutil.NativeEndian.Uint32(e.Data)
			}
		case *expr.Cmp:
			if loaded && len(e.Data) == 4 {
				used |= markBits(binaryutil.NativeEndian.Uint32(e.Data), kept)
			}
		}
	}
	return used
}
