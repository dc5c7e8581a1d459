package host

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/api"
)

// The table that marks what Docker's own table is to let through, for each family that has
// a subnet here:
//
//	table ip sealane-mark {
//		set localnets, remotenets { type ipv4_addr; flags interval; }
//		chain pre {
//			type filter hook prerouting priority mangle; policy accept;
//			iifname "eth0" ip saddr @remotenets ip daddr @localnets meta mark set meta mark | 0x10000 accept
//			iifname != "docker0" ip daddr 10.0.0.0/24 ct state invalid,new drop
//		}
//	}
//
// The rules below the first are the guard, one for each bridge: Docker takes the mark only
// if its option allow-direct-routing takes its own drops away, for whole networks and
// whoever comes. The guard stands in for them. It is ahead of the translation of published
// ports, so these stay open, and errors that ICMP reports are related, so they pass.
const (
	markTable = "sealane-mark"
	chainPre  = "pre"
)

// marking is what the table of one family says.
type marking struct {
	from, to []span  // the other hosts' and ours
	uplink   string  // it marks what comes in here
	mark     uint32  // zero to let in and not mark
	mask     uint32  //
	guarded  []Local // bridges that nobody else gets to, with their prefixes
	rules    [][]expr.Any
}

func (h *Host) planMark(w Wish) ([]Step, error) {
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	if d.native == nil || d.native.Mask == 0 {
		return nil, fmt.Errorf("mark packets: Docker accepts none in all of its networks: %w", api.ErrUnsupported)
	}
	var steps []Step
	for _, f := range families() {
		more, err := h.planMarking(f, w, d)
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
	}
	return steps, nil
}

func (h *Host) planMarking(f family, w Wish, d *dockerTable) ([]Step, error) {
	want := marking{
		from: merge(spans(f.of(peersOf(w)))), to: merge(spans(f.of(prefixesOf(w.Locals)))),
		uplink: w.Uplink, mark: d.native.Mark, mask: d.native.Mask,
	}
	if w.Strict {
		want.mark, want.mask = 0, 0
	}
	have, err := h.marks[f.index()].look(func(conn *nftables.Conn) (marking, error) { return readMarking(conn, f) })
	if err != nil {
		return nil, fmt.Errorf("read table %s %s: %w", f.nftName(), markTable, hint(err))
	}
	if w.Incomplete {
		want.from, want.to = merge(append(want.from, have.from...)), merge(append(want.to, have.to...))
	}
	if want.guarded, err = h.guarded(f, w, d); err != nil {
		return nil, err
	}
	if len(want.to)+len(want.guarded) == 0 {
		return undoMarking(f)
	}
	want.rules = f.markRules(want)
	if w.Incomplete {
		guards := guardsBeside(have.rules, nil)
		want.rules = slices.Concat(want.rules[:1], guards, guardsBeside(want.rules[1:], guards))
	}
	if slices.Equal(have.from, want.from) && slices.Equal(have.to, want.to) && slices.EqualFunc(have.rules, want.rules, sameExprs) {
		return nil, nil
	}
	what := fmt.Sprintf("%d ranges of others marked for Docker toward %v", len(want.from), prefixes(want.to))
	return []Step{step(KindMark, what, "nft -f - <<'END'\n"+f.markText(want)+"END", func(context.Context) error {
		conn, err := nftables.New()
		if err == nil {
			err = writeMarking(conn, f, want)
		}
		return wrap("write table "+f.nftName()+" "+markTable, err)
	})}, nil
}

// guardsBeside are the rules that drop, but for those among others.
func guardsBeside(rules, others [][]expr.Any) [][]expr.Any {
	return slices.DeleteFunc(slices.Clone(rules), func(r []expr.Any) bool {
		kind, _ := verdict(&nftables.Rule{Exprs: r})
		return kind != expr.VerdictDrop || slices.ContainsFunc(others, func(o []expr.Any) bool { return sameExprs(r, o) })
	})
}

// peersOf are the other hosts' subnets and private addresses.
func peersOf(w Wish) []netip.Prefix {
	peers := slices.Clone(w.Remotes)
	for _, p := range w.Peers {
		peers = append(peers, netip.PrefixFrom(p, p.BitLen()))
	}
	return peers
}

// guarded are the bridges that Docker would guard itself: of ours those that it closes, and
// all that it closes if it was us who told it to allow direct routing.
func (h *Host) guarded(f family, w Wish, d *dockerTable) ([]Local, error) {
	var all []Local
	for _, l := range w.Locals {
		if slices.Contains(d.closed[f], l.Bridge) && l.Prefix.Addr().Is6() == f.v6 {
			all = append(all, l)
		}
	}
	if h.mem.Engine != nil {
		addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		found, err := bridges(addrs)
		if err != nil {
			return nil, err
		}
		for _, b := range found {
			for _, p := range f.of(b.Prefixes()) {
				if slices.Contains(d.closed[f], b.Name) {
					all = append(all, Local{p, b.Name})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b Local) int {
		return cmp.Or(strings.Compare(a.Bridge, b.Bridge), api.ComparePrefixes(a.Prefix, b.Prefix))
	})
	return slices.Compact(all), nil
}
