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

// docked is what Docker's own table says.
type docked struct {
	ruleset string // in which it was found
	table   firewall.DockerTable
}

// readDocked reads Docker's own table, unless nothing changed since it last did.
func (h *Host) readDocked(ctx context.Context) (firewall.DockerTable, error) {
	there, err := h.nft.Named(nativeTable)
	if err != nil || !there {
		return firewall.DockerTable{}, err
	}
	text, err := h.nft.Ruleset(ctx)
	if err != nil {
		return firewall.DockerTable{}, fmt.Errorf("read table %s: %w", nativeTable, err)
	}
	if text != h.docked.ruleset {
		rules, err := firewall.Parse(firewall.Dump{Ruleset: text})
		if err != nil {
			return firewall.DockerTable{}, fmt.Errorf("read table %s: %w", nativeTable, err)
		}
		h.docked = docked{text, rules.DockerTable()}
	}
	return h.docked.table, nil
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
	var steps []host.Step
	switch w.Way {
	case host.WayNone:
	case host.WayMark:
		steps, err = h.marks.Plan(ctx, w)
	case host.WayRedirect:
		steps, err = h.redirect.Plan(ctx, w)
	default:
		return nil, fmt.Errorf("get packets through Docker's nftables rules: no way is called %q: %w", w.Way, api.ErrInvalid)
	}
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
