package alicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// tries is how often a change is sent while another one is in flight. With pauses that
// double from 200 ms this spans about six seconds; a task of the VPC takes a few.
const tries = 6

// item is one change on its way.
type item struct {
	change  api.Change
	decided bool
	err     error // the outcome when decided; before that, why it is not done yet

	failure error          // how the cloud refused it within a batch; read back before it is believed
	vague   bool           // that refusal's code is not known: ask again by itself
	hidden  bool           // it was refused for an entry that is not among the custom ones: look closer
	entry   string         // a delete's entry id
	seen    api.RouteState // what was last read of it
}

func (it *item) end(err error) { it.decided, it.err = true, err }

// busy leaves the item to another try.
func (it *item) busy(err error) { it.decided, it.err = false, err }

// step is what is sent together: changes of one verb in one table.
type step struct {
	verb  api.Verb
	table api.TableID
	items []*item
}

// Apply implements cloud.Tables.
func (p *Provider) Apply(ctx context.Context, changes []api.Change) ([]cloud.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("apply %d changes: %w", len(changes), err)
	}
	select {
	case p.writing <- struct{}{}:
		defer func() { <-p.writing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("apply %d changes: %w", len(changes), ctx.Err())
	}
	items := make([]*item, len(changes))
	for i, c := range changes {
		items[i] = &item{change: c}
		if err := cloud.Validate(c); err != nil {
			items[i].end(err)
		}
	}
	var stop error
	for _, s := range split(items) {
		if stop == nil {
			stop = cmp.Or(ctx.Err(), cloud.Permitted(ctx))
		}
		if stop == nil {
			stop = p.take(ctx, s)
			continue
		}
		endOpen(s.items, stop)
	}
	return results(items), nil
}

func results(items []*item) []cloud.Result {
	all := make([]cloud.Result, len(items))
	for i, it := range items {
		all[i] = cloud.Result{Change: it.change}
		if it.err != nil {
			all[i].Err = fmt.Errorf("%s %s: %w", it.change.Verb, it.change.Route, it.err)
		}
	}
	return all
}

// split orders the changes into steps: neighbours of one verb go together, table by table,
// in batches. A batch has one table since the cloud names failed entries without theirs. A
// replace goes alone, since there is no batch for it.
func split(items []*item) []step {
	var steps []step
	first := 0 // of the steps of the present run of one verb
	for _, it := range items {
		if it.decided {
			continue
		}
		verb, table := it.change.Verb, it.change.Route.Table
		if first < len(steps) && steps[first].verb != verb {
			first = len(steps)
		}
		room := slices.IndexFunc(steps[first:], func(s step) bool {
			return s.table == table && len(s.items) < cloud.BatchLimit && verb != api.Replace
		})
		if room >= 0 {
			s := &steps[first+room]
			s.items = append(s.items, it)
			continue
		}
		steps = append(steps, step{verb, table, []*item{it}})
	}
	return steps
}

// take makes one step. stop is why no further step may be sent.
func (p *Provider) take(ctx context.Context, s step) (stop error) {
	act := map[api.Verb]func(context.Context, api.TableID, []*item) error{
		api.Create: p.create, api.Replace: p.replace, api.Delete: p.delete,
	}[s.verb]
	for try := 0; ; try++ {
		stop = act(ctx, s.table, open(s.items))
		if stop != nil || len(open(s.items)) == 0 || try == tries-1 {
			endOpen(s.items, stop)
			return stop
		}
		if !p.pause(ctx, try) {
			endOpen(s.items, ctx.Err())
			return ctx.Err()
		}
	}
}

// open are the items without an outcome.
func open(items []*item) []*item {
	var rest []*item
	for _, it := range items {
		if !it.decided {
			rest = append(rest, it)
		}
	}
	return rest
}

// endOpen gives the items without an outcome the one they have so far, or this one. It
// never makes a success of them.
func endOpen(items []*item, err error) {
	for _, it := range open(items) {
		it.end(cmp.Or(it.err, err, api.ErrUnknown))
	}
}

func endAll(items []*item, err error) {
	for _, it := range items {
		it.end(err)
	}
}

// stops reports whether after this error nothing more may be sent.
func stops(err error) bool {
	return errors.Is(err, api.ErrThrottled) || errors.Is(err, api.ErrDenied) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// answered deals with the error of a whole call: it returns true when the changes may be
// under way and must be read back. Items that are busy stay open.
func answered(items []*item, err error) (settle bool, stop error) {
	switch {
	case err == nil || errors.Is(err, api.ErrUnknown):
		return true, nil
	case errors.Is(err, api.ErrBusy):
		for _, it := range items {
			it.busy(err)
		}
		return false, nil
	}
	endAll(items, err)
	if stops(err) {
		return false, err
	}
	return false, nil
}

func destinations(items []*item) []netip.Prefix {
	var list []netip.Prefix
	for _, it := range items {
		list = append(list, it.change.Route.Destination)
	}
	return list
}

// pause waits before the next try or look, a doubling time. It is false when the context
// ended first.
func (p *Provider) pause(ctx context.Context, try int) bool {
	timer := time.NewTimer(min(p.pollTime<<min(try, 16), maxPoll))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
