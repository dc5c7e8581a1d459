package cloudtest

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Apply implements cloud.Tables.
func (f *Fake) Apply(ctx context.Context, changes []api.Change, permit cloud.Permit) ([]cloud.Result, error) {
	select {
	case f.writing <- struct{}{}:
		defer func() { <-f.writing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("apply %d changes: %w", len(changes), ctx.Err())
	}
	if err := f.call(ctx, fmt.Sprintf("apply %d changes", len(changes))); err != nil {
		return nil, err
	}
	results := make([]cloud.Result, 0, len(changes))
	var stop error
	for i, c := range changes {
		if i%cloud.BatchLimit == 0 && stop == nil {
			stop = permit()
		}
		err := stop
		if err == nil {
			err = missingCover(c, results)
		}
		if err == nil {
			err, stop = f.change(ctx, c)
		}
		if err != nil {
			err = fmt.Errorf("%s %s: %w", c.Verb, c.Route, err)
		}
		results = append(results, cloud.Result{Change: c, Err: err})
	}
	return results, nil
}

// missingCover keeps a delete from being made where what was to cover it failed.
func missingCover(c api.Change, before []cloud.Result) error {
	for _, b := range before {
		wide, narrow := b.Change.Route.Destination, c.Route.Destination
		if c.Verb == api.Delete && b.Change.Verb != api.Delete && b.Err != nil && b.Change.Route.Table == c.Route.Table &&
			wide.IsValid() && narrow.IsValid() && wide.Bits() < narrow.Bits() && wide.Contains(narrow.Addr()) {
			return fmt.Errorf("%s that covers it is not known to be there: %w", b.Change.Route, api.ErrBusy)
		}
	}
	return nil
}

// change makes one change. stop is set when those after it must not be sent.
func (f *Fake) change(ctx context.Context, c api.Change) (err, stop error) {
	if err := ctx.Err(); err != nil {
		return err, err
	}
	if err := cloud.Validate(c); err != nil {
		return err, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, c)
	switch {
	case spend(&f.faults.Throttled):
		return api.ErrThrottled, api.ErrThrottled
	case f.faults.Denied:
		return api.ErrDenied, api.ErrDenied
	case spend(&f.faults.Busy):
		return fmt.Errorf("another change is in flight: %w", api.ErrBusy), nil
	}
	done, err := f.judge(c)
	if err != nil || done {
		return err, nil
	}
	if spend(&f.faults.Lies) {
		return nil, nil
	}
	f.make(c)
	if spend(&f.faults.Lost) {
		return api.ErrUnknown, nil
	}
	return nil, nil
}

// judge decides whether the change may be made, or has nothing left to do.
func (f *Fake) judge(c api.Change) (done bool, err error) {
	table, ok := f.table(c.Route.Table)
	if !ok {
		return false, fmt.Errorf("no such table: %w", api.ErrNotFound)
	}
	have, found := f.routes[c.Route.Key()]
	asked := found && cloud.Done(have, c.Route)
	switch c.Verb {
	case api.Delete:
		if found && !cloud.Still(have, c.Route) {
			return false, fmt.Errorf("the route is now %s (%s): %w", have, owner(have.Mark), api.ErrRefused)
		}
		return !found, nil
	case api.Replace:
		switch {
		case asked:
			return true, nil
		case !found:
			return false, fmt.Errorf("the route is no longer there: %w", api.ErrRefused)
		case !cloud.Still(have, *c.Was):
			return false, fmt.Errorf("the route is now %s (%s): %w", have, owner(have.Mark), api.ErrRefused)
		}
	case api.Create:
		switch {
		case asked:
			return true, nil
		case found:
			return false, fmt.Errorf("the destination is taken by %s (%s): %w", have, owner(have.Mark), api.ErrRefused)
		case len(f.in(table.ID)) >= table.Quota:
			return false, fmt.Errorf("%d routes: %w", table.Quota, api.ErrQuota)
		}
	}
	return false, f.accepts(c.Route)
}

// accepts applies the cloud's rules for destinations and next hops.
func (f *Fake) accepts(r api.Route) error {
	for _, v := range f.network.VSwitches {
		if v.CIDR.Overlaps(r.Destination) || v.CIDR6.Overlaps(r.Destination) {
			return fmt.Errorf("overlaps vSwitch %s %s %s: %w", v.ID, v.CIDR, v.CIDR6, api.ErrInvalid)
		}
	}
	for _, reserved := range []string{"100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/8", "fe80::/10", "ff00::/8"} {
		if p := netip.MustParsePrefix(reserved); p.Overlaps(r.Destination) {
			return fmt.Errorf("overlaps %s: %w", p, api.ErrInvalid)
		}
	}
	six := r.Destination.Addr().Is6()
	if six && !slices.ContainsFunc(f.network.CIDRs, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		return fmt.Errorf("the VPC has no IPv6 range: %w", api.ErrInvalid)
	}
	hop := api.InstanceID(r.NextHop)
	if r.HopType == api.HopInterface {
		hop, _ = f.owner(api.InterfaceID(r.NextHop))
	}
	i, ok := f.instances[hop]
	switch {
	case !ok || i.VPC != f.network.VPC:
		return fmt.Errorf("next hop %s: %w", r.NextHop, api.ErrNotFound)
	case six && r.HopType == api.HopInterface && i.Interface.ID == api.InterfaceID(r.NextHop):
		return fmt.Errorf("next hop %s is a primary interface, which takes no IPv6: %w", r.NextHop, api.ErrInvalid)
	}
	return nil
}

func (f *Fake) make(c api.Change) {
	r, key := c.Route, c.Route.Key()
	if c.Verb == api.Delete {
		delete(f.routes, key)
		return
	}
	r.State, r.HopType, r.ID = api.RouteAvailable, cmp.Or(r.HopType, api.HopInstance), f.routes[key].ID
	if r.ID == "" {
		f.lastID++
		r.ID = fmt.Sprintf("rte-%d", f.lastID)
	}
	f.routes[key] = r
}
