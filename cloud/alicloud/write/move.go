package write

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

// mover replaces one entry by others. The caller holds the writer's turn.
type mover struct{ requests }

// move replaces an entry that may not be modified, by others. Where the table has room for
// two more it is bridged: the halves of the destination are sent to the new next hop first,
// and while they are there the entry itself is deleted and created. The longest match keeps
// every packet on the old or the new next hop, at whatever step this ends; and a
// second try goes on where the first one ended. Otherwise there is a gap, see leap.
func (m *mover) move(ctx context.Context, e, want api.Route) error {
	err := m.bridge(ctx, e, want)
	if errors.Is(err, errNoBridge) {
		return m.leap(ctx, e, want, err)
	}
	if err != nil {
		return fmt.Errorf("bridge %s: %w", want.Destination, err)
	}
	if err := m.makeAll(ctx, api.Delete, e); err != nil {
		return fmt.Errorf("take away the entry to %s: %w", e.NextHop, err)
	}
	if err := m.makeAll(ctx, api.Create, want); err != nil {
		return fmt.Errorf("create the entry again: %w", err)
	}
	if err := m.makeAll(ctx, api.Delete, halfRoutes(want)...); err != nil {
		return fmt.Errorf("the entry is created again; take away the halves that bridged it: %w", err)
	}
	return nil
}

// leap deletes the entry before it creates the new one: there is a gap, which is announced. It
// is not opened where the cloud says beforehand that it will not make the new entry, and
// when that fails all the same, the entry is made as it was.
func (m *mover) leap(ctx context.Context, e, want api.Route, why error) error {
	if err := m.tryOut(ctx, want); err != nil {
		return fmt.Errorf("the entry to %s is left, try out the new one: %w", e.NextHop, err)
	}
	about := []any{api.KeyDestination, want.Destination.String(), api.KeyTable, want.Table}
	m.Log.WarnContext(ctx, "the route will be missing for a moment: it can be neither modified nor bridged",
		append(about, api.KeyDetail, why.Error())...)
	if err := m.makeAll(ctx, api.Delete, e); err != nil {
		return fmt.Errorf("take away the entry to %s: %w", e.NextHop, err)
	}
	err := m.makeAll(ctx, api.Create, want)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("create the entry again: %w", err)
	if e.Mark.IsZero() {
		e.Mark = want.Mark // its own name and description are not known any more
	}
	back := cloud.Validate(api.Change{Verb: api.Create, Route: e})
	if back == nil {
		back = m.makeAll(ctx, api.Create, e)
	}
	if back == nil {
		return fmt.Errorf("the entry to %s is there again: %w", e.NextHop, err)
	}
	err = errors.Join(err, fmt.Errorf("make the entry to %s again: %w", e.NextHop, back))
	m.Log.ErrorContext(ctx, "the route may be missing: it was taken away to be moved, and could not be made again",
		append(about, api.KeyError, err)...)
	return err
}

// tryOut asks whether the cloud would make an entry in the place of one that is there. That
// the place is taken, or the table full, says nothing against it.
func (m *mover) tryOut(ctx context.Context, want api.Route) error {
	it := &item{change: api.Change{Verb: api.Create, Route: want}, dry: true}
	err := m.create(ctx, []*item{it})
	if call.FailureOf(err).Forbidden() && m.learned.denyBatches(api.Create) {
		err = m.create(ctx, []*item{it})
	}
	if err = cmp.Or(err, it.failure); err == nil {
		return nil
	}
	switch f := call.FailureOf(err); {
	case f.Code == "DryRunOperation", f.Class == call.Unknown && errors.Is(err, api.ErrRefused), errors.Is(err, api.ErrQuota):
		return nil
	}
	return err
}

// errNoBridge says that there is no bridge, and nothing was left of one.
var errNoBridge = errors.New("no bridge")

// bridge makes the halves of what is to replace an entry.
func (m *mover) bridge(ctx context.Context, was, want api.Route) error {
	both := halfRoutes(want)
	if both == nil {
		return fmt.Errorf("%w: a single address has no halves", errNoBridge)
	}
	all, err := m.Entries.List(ctx, want.Table)
	if err != nil {
		return err
	}
	free := m.Quota - len(all)
	for _, e := range all {
		i := slices.IndexFunc(both, func(half api.Route) bool { return half.Key() == e.Key() })
		if i < 0 {
			continue
		}
		free++ // it is there, or goes
		if err := m.clearHalf(ctx, e, was, both[i]); err != nil {
			return err
		}
	}
	if free < len(both) {
		return fmt.Errorf("%w: the table has room for %d more", errNoBridge, max(0, free))
	}
	err = m.makeAll(ctx, api.Create, both...)
	taken := errors.Is(err, api.ErrQuota) || errors.Is(err, api.ErrRefused)
	wrong := errors.Is(err, api.ErrInvalid) || errors.Is(err, api.ErrNotFound)
	if !taken && !wrong {
		return err
	}
	// One half may be there; it goes, or the table would not be as it was found.
	if undo := m.makeAll(ctx, api.Delete, both...); undo != nil && !errors.Is(undo, api.ErrRefused) {
		return errors.Join(err, undo)
	}
	if wrong {
		return err // what the halves are refused for, the entry itself would be
	}
	return fmt.Errorf("%w: %w", errNoBridge, err)
}

// clearHalf makes room for a half. What is there may go if it is of a former move between these
// two hosts that was cut off.
func (m *mover) clearHalf(ctx context.Context, e, was, half api.Route) error {
	if cloud.Same(e, half) {
		return nil
	}
	if e.Mark.IsZero() || !e.Mark.Same(was.Mark) && !e.Mark.Same(half.Mark) {
		return fmt.Errorf("%w: %w", errNoBridge, inTheWay(e))
	}
	if err := m.makeAll(ctx, api.Delete, e); err != nil {
		return fmt.Errorf("take away %s, left of a former bridge: %w", e, err)
	}
	return nil
}

// halfRoutes are the two routes that together lead where this one does; nil for one address.
func halfRoutes(r api.Route) []api.Route {
	if r.Destination.IsSingleIP() {
		return nil
	}
	r.ID = ""
	first, second := r, r
	first.Destination, second.Destination = cloud.Halves(r.Destination)
	return []api.Route{first, second}
}

// makeAll makes changes of one verb to their end.
func (m *mover) makeAll(ctx context.Context, verb api.Verb, routes ...api.Route) error {
	items := make([]*item, len(routes))
	for i, route := range routes {
		route.State = ""
		if verb == api.Create {
			route.ID = ""
		}
		items[i] = &item{change: api.Change{Verb: verb, Route: route}}
	}
	m.makeChanges(ctx, items, m.permit)
	var errs []error
	for _, it := range items {
		errs = append(errs, it.err)
	}
	return errors.Join(errs...)
}
