package alicloud

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// settle reads the table until every item has an outcome or is left to another try. What
// is not seen within the settle time is unknown. stop is why nothing more may be sent.
func (p *Provider) settle(ctx context.Context, table api.TableID, items []*item) (stop error) {
	timed, cancel := context.WithTimeout(ctx, p.settleTime)
	defer cancel()
	waiting := open(items)
	var last error // of reading
	for try := 0; len(waiting) > 0 && stop == nil && p.pause(timed, try); try++ {
		have, err := p.entries(timed, table, destinations(waiting))
		switch last = err; {
		case err == nil:
			waiting = slices.DeleteFunc(waiting, func(it *item) bool { return it.judge(have) })
		case stops(err) && timed.Err() == nil:
			stop = err
		}
	}
	if len(waiting) > 0 && ctx.Err() != nil {
		stop = ctx.Err()
		last = stop
	}
	for _, it := range waiting {
		it.end(p.unsettled(it, last))
	}
	return stop
}

// unsettled is the outcome of an item that was sent and not seen in its final state.
func (p *Provider) unsettled(it *item, last error) error {
	seen := "not seen"
	if it.seen != "" {
		seen = "last seen " + string(it.seen)
	}
	switch {
	case last != nil:
		return fmt.Errorf("sent, %s; reading back: %w: %w", seen, api.ErrUnknown, last)
	case it.failure != nil:
		return fmt.Errorf("%s within %s: %w: %w", seen, p.settleTime, api.ErrUnknown, it.failure)
	}
	return fmt.Errorf("sent, %s within %s: %w", seen, p.settleTime, api.ErrUnknown)
}

// judge looks for the item in what the table holds now. It reports whether there is
// nothing more to wait for: the item has its outcome, or is left open for another try.
func (it *item) judge(have []api.Route) bool {
	i := slices.IndexFunc(have, func(r api.Route) bool { return r.Key() == it.change.Route.Key() })
	if it.change.Verb == api.Delete {
		return it.judgeDelete(i >= 0 && have[i].ID == it.entry)
	}
	if i < 0 {
		it.seen = ""
		return it.judgeAbsent()
	}
	r := have[i]
	it.seen = r.State
	was := it.change.Was
	asked := cloud.Same(r, it.change.Route)
	switch {
	case r.State != api.RouteAvailable && it.failure != nil && !asked:
		it.busy(fmt.Errorf("%w: %w", api.ErrBusy, it.failure)) // what is in the way is changing
	case r.State != api.RouteAvailable:
		return false
	case asked:
		it.end(nil)
	case was != nil && cloud.Same(r, *was):
		return false // the change was accepted and does not show yet
	default:
		it.end(taken(r))
	}
	return true
}

// judgeAbsent is for a create or replace whose entry is not there. Without a refusal it
// may still come.
func (it *item) judgeAbsent() bool {
	switch {
	case it.failure == nil:
		return false
	case it.vague:
	case errors.Is(it.failure, api.ErrBusy):
		it.busy(it.failure)
	case errors.Is(it.failure, api.ErrRefused):
		it.hidden = true
	default:
		it.end(it.failure)
	}
	return true
}

func (it *item) judgeDelete(there bool) bool {
	switch {
	case !there:
		it.end(nil)
	case it.failure == nil || errors.Is(it.failure, api.ErrNotFound):
		it.seen = api.RouteDeleting
		return false
	case errors.Is(it.failure, api.ErrBusy):
		it.busy(it.failure)
	default:
		it.end(it.failure)
	}
	return true
}

// taken is the refusal that names what has the place.
func taken(r api.Route) error {
	owner := "not ours"
	if !r.Mark.IsZero() {
		owner = "marked " + r.Mark.Name()
	}
	return fmt.Errorf("the entry there is %s, %s, %s: %w", r, r.State, owner, api.ErrRefused)
}
