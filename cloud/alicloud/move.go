package alicloud

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// move replaces an entry that may not be modified, by others. Where the table has room for
// two more it is bridged: the halves of the destination are sent to the new next hop first,
// and while they are there the entry itself is made anew. The longest match keeps every
// packet on the old or the new next hop, at whatever step this ends; and to begin again
// finds done what was done. Otherwise there is a gap, which is announced.
func (r *series) move(ctx context.Context, e, want api.Route) error {
	err := r.bridge(ctx, want)
	gap := errors.Is(err, errNoBridge)
	if err != nil && !gap {
		return fmt.Errorf("bridge %s: %w", want.Destination, err)
	}
	if gap {
		r.log.WarnContext(ctx, "the route will be missing for a moment: it can be neither modified nor bridged",
			api.KeyDestination, want.Destination.String(), api.KeyTable, want.Table, api.KeyDetail, err.Error())
	}
	if err := r.make(ctx, api.Delete, e); err != nil {
		return fmt.Errorf("take away the entry to %s: %w", e.NextHop, err)
	}
	if err := r.make(ctx, api.Create, want); err != nil {
		return fmt.Errorf("make the entry anew: %w", err)
	}
	if gap {
		return nil
	}
	if err := r.make(ctx, api.Delete, halves(want)...); err != nil {
		return fmt.Errorf("the entry is made anew; take away the halves that bridged it: %w", err)
	}
	return nil
}

// errNoBridge says that there is no bridge, and nothing was left of one.
var errNoBridge = errors.New("no bridge")

// bridge makes the halves.
func (r *series) bridge(ctx context.Context, want api.Route) error {
	both := halves(want)
	if both == nil {
		return fmt.Errorf("%w: a single address has no halves", errNoBridge)
	}
	all, err := r.entries(ctx, want.Table, nil)
	if err != nil {
		return err
	}
	free := r.quota - len(all)
	for _, e := range all {
		i := slices.IndexFunc(both, func(half api.Route) bool { return half.Key() == e.Key() })
		if i < 0 {
			continue
		}
		free++ // it is there, or goes
		if e.OwnedBy(want.Mark.Cluster) && !cloud.Same(e, both[i]) {
			// Of a former move that was cut off; what it leads to, the entry itself leads to.
			if err := r.make(ctx, api.Delete, e); err != nil {
				return fmt.Errorf("take away %s, left of a former bridge: %w", e, err)
			}
		}
	}
	if free < len(both) {
		return fmt.Errorf("%w: the table has room for %d more", errNoBridge, max(0, free))
	}
	err = r.make(ctx, api.Create, both...)
	if err == nil || !errors.Is(err, api.ErrQuota) && !errors.Is(err, api.ErrRefused) && !errors.Is(err, api.ErrInvalid) {
		return err
	}
	// One half may be there; it goes, or the table would not be as it was found.
	if undo := r.make(ctx, api.Delete, both...); undo != nil && !errors.Is(undo, api.ErrRefused) {
		return errors.Join(err, undo)
	}
	return fmt.Errorf("%w: %w", errNoBridge, err)
}

// halves are the two routes that together lead where this one does; nil for one address.
func halves(r api.Route) []api.Route {
	bits := r.Destination.Bits()
	if bits == r.Destination.Addr().BitLen() {
		return nil
	}
	first, second := r, r
	address := r.Destination.Addr().AsSlice()
	first.Destination = netip.PrefixFrom(r.Destination.Addr(), bits+1)
	address[bits/8] |= 0x80 >> (bits % 8)
	upper, _ := netip.AddrFromSlice(address) // of the length it came with
	second.Destination = netip.PrefixFrom(upper, bits+1)
	return []api.Route{first, second}
}

// make makes changes of one verb to their end, within the series: the token of the VPC is held.
func (r *series) make(ctx context.Context, verb api.Verb, routes ...api.Route) error {
	items := make([]*item, len(routes))
	for i, route := range routes {
		route.State, route.ID = "", ""
		items[i] = &item{change: api.Change{Verb: verb, Route: route}}
	}
	r.perform(ctx, items)
	var errs []error
	for _, it := range items {
		errs = append(errs, it.err)
	}
	return errors.Join(errs...)
}
