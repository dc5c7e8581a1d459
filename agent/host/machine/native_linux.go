package machine

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// nativeTable is Docker's own table of its nftables backend, in families ip and ip6.
const nativeTable = "docker-bridges"

// docked is what Docker's own table says at a count of the kernel's.
type docked struct {
	known bool
	count uint32
	table firewall.DockerTable
}

// readDocked reads Docker's own table, unless nothing changed since it last did.
func (h *Host) readDocked(ctx context.Context) (firewall.DockerTable, error) {
	count, known, err := h.nft.Generation()
	if err != nil || !known || h.docked.known && h.docked.count == count {
		return h.docked.table, err
	}
	there, err := h.nft.Named(nativeTable)
	if err != nil {
		return firewall.DockerTable{}, err
	}
	var table firewall.DockerTable
	if there {
		text, err := h.nft.Ruleset(ctx)
		if err != nil {
			return table, fmt.Errorf("read table %s: %w", nativeTable, err)
		}
		rules, err := firewall.Parse(firewall.Dump{Ruleset: text})
		if err != nil {
			return table, fmt.Errorf("read table %s: %w", nativeTable, err)
		}
		table = rules.DockerTable()
	}
	h.docked = docked{true, count, table}
	return table, nil
}

// readNative is what of it matters to others; nil without the table.
func (h *Host) readNative(ctx context.Context) (*host.Native, error) {
	d, err := h.readDocked(ctx)
	if err != nil || !d.Present {
		return nil, err
	}
	return &host.Native{Mark: d.Mark, Mask: d.Mask, Drops: d.Drops}, nil
}

// planNative gets packets through Docker's own table in the way wished for, and takes away
// what another way left.
func (h *Host) planNative(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if w.Uplink == "" {
		return nil, nil // the rules say so
	}
	d, err := h.readDocked(ctx)
	if d.Starting() || err != nil {
		return nil, err // what is there stays until Docker shows what it was told
	}
	plan := map[host.Way]func(context.Context, host.Wish) ([]host.Step, error){
		host.WayNone:     func(context.Context, host.Wish) ([]host.Step, error) { return nil, nil },
		host.WayMark:     h.marks.Plan,
		host.WayRedirect: h.redirect.Plan,
	}[w.Way]
	if plan == nil {
		return nil, fmt.Errorf("get packets through Docker's nftables rules: no way is called %q: %w", w.Way, api.ErrInvalid)
	}
	steps, err := plan(ctx, w)
	if w.Incomplete || err != nil && !w.Strict {
		return steps, err
	}
	if w.Way != host.WayMark || err != nil {
		more, failure := h.marks.Leave(ctx, w)
		steps, err = append(steps, more...), errors.Join(err, failure)
	}
	if w.Way != host.WayRedirect || err != nil {
		uplink := w.Uplink
		if !d.Present {
			uplink = "" // there was no redirect, or it is remembered
		}
		more, failure := h.redirect.Withdraw(uplink)
		steps, err = append(steps, more...), errors.Join(err, failure)
	}
	return steps, err
}

func (h *Host) undoNative(ctx context.Context) ([]host.Step, error) {
	marks, err := h.marks.Undo(ctx)
	redirects, failure := h.redirect.Undo(ctx)
	return append(marks, redirects...), errors.Join(err, failure)
}
