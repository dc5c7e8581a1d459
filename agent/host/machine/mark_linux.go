package machine

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
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
//			iifname != "docker0" ip daddr 10.0.0.0/24 fib daddr type != local ct state invalid,new drop
//		}
//	}
//
// The rules below the first are the guard, one for each bridge: Docker takes the mark only
// if its option allow-direct-routing takes its own drops away, for whole networks and
// whoever comes. The guard stands in for them. It is ahead of the translation of published
// ports, so these stay open, and errors that ICMP reports are related, so they pass. The
// host's own address on a bridge is no container's, and open as before.
const (
	markTable = "sealane-mark"
	chainPre  = "pre"
)

// marking is what the table of one family says.
type marking struct {
	there    bool
	from, to []span       // the other hosts' and ours
	uplink   string       // it marks what comes in here; empty: it only guards
	mark     uint32       // zero to let in and not mark
	mask     uint32       //
	guarded  []host.Local // bridges that nobody else gets to, with their prefixes
	rules    [][]expr.Any
}

func (h *Host) planMark(w host.Wish) ([]host.Step, error) {
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	if d.native == nil || d.native.Mask == 0 {
		return nil, fmt.Errorf("mark packets: Docker accepts none in all of its networks: %w", api.ErrUnsupported)
	}
	var steps []host.Step
	for _, f := range host.Families() {
		more, err := h.planMarking(f, w, d)
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
	}
	return steps, nil
}

func (h *Host) planMarking(f host.Family, w host.Wish, d *dockerTable) ([]host.Step, error) {
	want := marking{
		from: merge(spans(f.Of(w.PeerPrefixes()))), to: merge(spans(f.Of(w.LocalPrefixes()))),
		uplink: w.Uplink, mark: d.native.Mark, mask: d.native.Mask,
	}
	if w.Strict {
		want.mark, want.mask = 0, 0
	}
	if w.Incomplete {
		have, err := h.marking(f)
		if err != nil {
			return nil, err
		}
		want.from, want.to = merge(append(want.from, have.from...)), merge(append(want.to, have.to...))
	}
	return h.planMarks(f, want, d, func(string) bool { return w.Incomplete })
}

// planGuards leaves of the tables what stands in for Docker's own drops.
func (h *Host) planGuards(d *dockerTable) ([]host.Step, error) {
	var steps []host.Step
	for _, f := range host.Families() {
		more, err := h.planMarks(f, marking{}, d, func(string) bool { return false })
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
	}
	return steps, nil
}

// planMarks replaces the table of a family if it is otherwise, with the bridges guarded that
// Docker closes. What guards other bridges stays if it is to be kept, and while Docker, which
// is then starting, has not said anything of that bridge.
func (h *Host) planMarks(f host.Family, want marking, d *dockerTable, keep func(bridge string) bool) ([]host.Step, error) {
	have, err := h.marking(f)
	if err != nil {
		return nil, err
	}
	if want.guarded, err = guarded(f, d); err != nil {
		return nil, err
	}
	guards := markRules(f, marking{guarded: want.guarded})
	stay := slices.DeleteFunc(slices.Clone(have.rules), func(r []expr.Any) bool {
		bridge := guardOf(r)
		return bridge == "" || !among(guards, r) && !keep(bridge) && !d.untold(f, bridge)
	})
	if len(want.to)+len(guards)+len(stay) == 0 {
		if !have.there {
			return nil, nil
		}
		return []host.Step{undoMarking(f)}, nil
	}
	guards = slices.DeleteFunc(guards, func(r []expr.Any) bool { return among(stay, r) })
	want.rules = slices.Concat(markRules(f, marking{uplink: want.uplink, mark: want.mark, mask: want.mask}), stay, guards)
	if slices.Equal(have.from, want.from) && slices.Equal(have.to, want.to) && slices.EqualFunc(have.rules, want.rules, sameExprs) {
		return nil, nil
	}
	what := fmt.Sprintf("%d ranges of others marked for Docker toward %v", len(want.from), prefixes(want.to))
	if want.uplink == "" {
		what = fmt.Sprintf("only Docker's own guard of %d subnets kept", len(want.guarded))
	}
	return []host.Step{host.NewStep(host.KindMark, what, "nft -f - <<'END'\n"+markText(f, want)+"END", func(context.Context) error {
		conn, err := nftables.New()
		if err == nil {
			err = writeMarking(conn, f, want)
		}
		return kernel.Wrap("write table "+f.NFT()+" "+markTable, err)
	})}, nil
}

// marking is what the table of a family says now.
func (h *Host) marking(f host.Family) (marking, error) {
	have, err := h.marks[f].look(func(conn *nftables.Conn) (marking, error) { return readMarking(conn, f) })
	if err != nil {
		return have, fmt.Errorf("read table %s %s: %w", f.NFT(), markTable, kernel.Explain(err))
	}
	return have, nil
}

func among(rules [][]expr.Any, one []expr.Any) bool {
	return slices.ContainsFunc(rules, func(r []expr.Any) bool { return sameExprs(r, one) })
}

// guarded are the bridges that Docker would guard itself, were it not told to allow direct
// routing: all that it closes, since that option is for all.
func guarded(f host.Family, d *dockerTable) ([]host.Local, error) {
	if len(d.closed[f]) == 0 {
		return nil, nil
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	found, err := bridges(addrs)
	if err != nil {
		return nil, err
	}
	var all []host.Local
	for _, b := range found {
		for _, p := range f.Of(b.Prefixes()) {
			if slices.Contains(d.closed[f], b.Name) {
				all = append(all, host.Local{Prefix: p, Bridge: b.Name})
			}
		}
	}
	return all, nil
}
