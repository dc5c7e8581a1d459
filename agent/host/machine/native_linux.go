package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// Docker's own table of the nftables backend, in families ip and ip6, and what matters of it.
const (
	nativeTable = "docker-bridges"
	nativeRaw   = "raw-PREROUTING"
	nativeIn    = "filter-forward-in__" // and the name of a bridge
)

// dockerTable is what Docker's own table says.
type dockerTable struct {
	native  *host.Native             // nil without the table
	bridges int                      // whose chains were read, but for those of internal networks
	told    map[host.Family][]string // all bridges whose chains were read
	// The bridges whose containers nobody reaches from outside by their own addresses, by
	// family, unless Docker was told to allow direct routing; it then drops that no more.
	closed map[host.Family][]string
}

// readNative reads Docker's own nft table; nil if there is none.
func (h *Host) readNative() (*host.Native, error) {
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	return d.native, nil
}

// readDocker reads it, unless nothing changed since it last did.
func (h *Host) readDocker() (*dockerTable, error) {
	d, err := h.docker.look(func(conn *nftables.Conn) (*dockerTable, error) {
		d := &dockerTable{told: map[host.Family][]string{}, closed: map[host.Family][]string{}}
		for _, f := range host.Families() {
			if err := d.read(conn, f); err != nil {
				return nil, err
			}
			slices.Sort(d.closed[f])
		}
		return d, nil
	})
	if d == nil && err == nil {
		d = &dockerTable{} // a kernel without nftables
	}
	return d, err
}

// starting reports whether Docker has its table and no bridge in it yet. It writes the chains
// of bridges one by one when it starts, and what it was told shows in these only.
func (d *dockerTable) starting() bool {
	return d.native != nil && len(d.told[host.IPv4])+len(d.told[host.IPv6]) == 0
}

// untold reports whether a bridge that is there has no chain of Docker's yet.
func (d *dockerTable) untold(f host.Family, bridge string) bool {
	_, err := netlink.LinkByName(bridge)
	return err == nil && !slices.Contains(d.told[f], bridge)
}

// read adds what the table of a family says.
func (d *dockerTable) read(conn *nftables.Conn, f host.Family) error {
	chains, err := conn.ListChainsOfTableFamily(nftFamily(f))
	if err != nil {
		return fmt.Errorf("list nftables chains: %w", kernel.Explain(err))
	}
	for _, c := range chains {
		if c.Table.Name != nativeTable {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return fmt.Errorf("list chain %s of table %s %s: %w", c.Name, f.NFT(), nativeTable, kernel.Explain(err))
		}
		if d.native == nil {
			d.native = &host.Native{}
		}
		if c.Name == nativeRaw {
			d.native.Drops = d.native.Drops || slices.ContainsFunc(rules, dropsContainer)
		}
		if bridge, ok := strings.CutPrefix(c.Name, nativeIn); ok {
			d.told[f] = append(d.told[f], bridge)
			d.learn(f, bridge, rules)
		}
	}
	return nil
}

// learn adds what the chain of a bridge says. A mark counts if every bridge accepts it, but
// for those of internal networks, which take nothing from outside.
func (d *dockerTable) learn(f host.Family, bridge string, rules []*nftables.Rule) {
	if slices.ContainsFunc(rules, dropsOutside) {
		return
	}
	mark, mask := acceptedMark(rules)
	if d.bridges++; d.bridges > 1 && (mark != d.native.Mark || mask != d.native.Mask) {
		mark, mask = 0, 0
	}
	d.native.Mark, d.native.Mask = mark, mask
	if closes(rules) {
		d.closed[f] = append(d.closed[f], bridge)
	}
}

// verdict is what a rule ends with, and whether it decides for every packet alike.
func verdict(r *nftables.Rule) (kind expr.VerdictKind, always bool) {
	always, found := true, false
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Counter:
		case *expr.Verdict:
			kind, found = e.Kind, true
		default:
			always = false
		}
	}
	if !found {
		return expr.VerdictContinue, false
	}
	return kind, always
}

// dropsContainer tells a drop for a container's address from the one that keeps others away
// from ports published on a loopback address.
func dropsContainer(r *nftables.Rule) bool {
	loopback := func(e expr.Any) bool {
		c, ok := e.(*expr.Cmp)
		return ok && len(c.Data) == 4 && c.Op == expr.CmpOpEq && c.Data[0] == 127
	}
	kind, _ := verdict(r)
	return kind == expr.VerdictDrop && !slices.ContainsFunc(r.Exprs, loopback)
}

// dropsOutside tells the rule of an internal network, which drops whatever does not come
// from its own bridge and which no mark gets past.
func dropsOutside(r *nftables.Rule) bool {
	outside := false
	for i, e := range r.Exprs {
		if m, ok := e.(*expr.Meta); ok && m.Key == expr.MetaKeyIIFNAME && i+1 < len(r.Exprs) {
			c, ok := r.Exprs[i+1].(*expr.Cmp)
			outside = ok && c.Op == expr.CmpOpNeq
		}
	}
	kind, _ := verdict(r)
	return outside && kind == expr.VerdictDrop
}

// acceptedMark is the mark that a bridge's chain accepts; zero if none.
func acceptedMark(rules []*nftables.Rule) (mark, mask uint32) {
	for _, r := range rules {
		if kind, _ := verdict(r); kind != expr.VerdictAccept || len(r.Exprs) == 0 {
			continue
		}
		if m, ok := r.Exprs[0].(*expr.Meta); !ok || m.Key != expr.MetaKeyMARK || m.SourceRegister {
			continue
		}
		mask = ^uint32(0)
		for _, e := range r.Exprs[1:] {
			switch e := e.(type) {
			case *expr.Bitwise:
				mask = binaryutil.NativeEndian.Uint32(e.Mask)
			case *expr.Cmp:
				if e.Op == expr.CmpOpEq && len(e.Data) == 4 {
					return binaryutil.NativeEndian.Uint32(e.Data), mask
				}
			}
		}
	}
	return 0, 0
}

// closes reports whether a bridge's chain ends with a drop and lets not even pings in: that
// of gateway mode nat. Mode nat-unprotected ends with an accept, mode routed accepts ICMP.
func closes(rules []*nftables.Rule) bool {
	pings := func(r *nftables.Rule) bool {
		kind, _ := verdict(r)
		icmp := func(e expr.Any) bool {
			c, ok := e.(*expr.Cmp)
			return ok && (bytes.Equal(c.Data, []byte{1}) || bytes.Equal(c.Data, []byte{58})) // the protocols' numbers
		}
		return kind == expr.VerdictAccept && slices.ContainsFunc(r.Exprs, icmp)
	}
	if len(rules) == 0 || slices.ContainsFunc(rules, pings) {
		return false
	}
	kind, always := verdict(rules[len(rules)-1])
	return kind == expr.VerdictDrop && always
}

// planNative gets packets through Docker's own table in the way wished for, and takes away
// what another way left.
func (h *Host) planNative(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if w.Uplink == "" {
		return nil, nil // the rules say so
	}
	d, err := h.readDocker()
	if d.starting() || err != nil {
		return nil, err // what is there stays until Docker shows what it was told
	}
	plan := map[host.Way]func(host.Wish) ([]host.Step, error){
		host.WayNone:     func(host.Wish) ([]host.Step, error) { return nil, nil },
		host.WayMark:     h.planMark,
		host.WayRedirect: func(w host.Wish) ([]host.Step, error) { return h.redirect.Plan(ctx, w) },
	}[w.Way]
	if plan == nil {
		return nil, fmt.Errorf("get packets through table %s: no way is called %q: %w", nativeTable, w.Way, api.ErrInvalid)
	}
	steps, err := plan(w)
	if w.Incomplete || err != nil && !w.Strict {
		return steps, err
	}
	uplink := w.Uplink
	if d.native == nil {
		uplink = "" // there was no redirect, or it is remembered
	}
	for _, left := range []struct {
		way  host.Way
		undo func() ([]host.Step, error)
	}{{host.WayMark, func() ([]host.Step, error) { return h.leaveGuards(d) }}, {host.WayRedirect, func() ([]host.Step, error) { return h.redirect.Withdraw(uplink) }}} {
		if left.way == w.Way && err == nil {
			continue
		}
		more, failure := left.undo()
		steps, err = append(steps, more...), errors.Join(err, failure)
	}
	return steps, err
}

// leaveGuards takes the marks away. What stands in for Docker's own drops stays as long as
// Docker may be without them, or will be when it starts next.
func (h *Host) leaveGuards(d *dockerTable) ([]host.Step, error) {
	tables, err := h.tables.look(nftTables)
	switch {
	case err != nil:
		return nil, err
	case !h.engine.Guarded() && (!tables[markTable] || !h.engine.Direct()):
		return h.undoMark()
	case d.native == nil:
		return nil, nil
	default:
		return h.planGuards(d)
	}
}

func (h *Host) undoNative(ctx context.Context) ([]host.Step, error) {
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	undo := h.undoMark
	if h.engine.Guarded() && !h.engine.Reset() {
		undo = func() ([]host.Step, error) { return h.leaveGuards(d) }
	}
	marks, err := undo()
	redirects, failure := h.redirect.Undo(ctx)
	return append(marks, redirects...), errors.Join(err, failure)
}
