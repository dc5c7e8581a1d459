package write

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
	"github.com/sealane/sealane/cloud/alicloud/entries"
)

// judgeAll looks for the items in what was read.
func judgeAll(items []*item, have entries.Sight) {
	for _, it := range toRead(items) {
		switch e, there, known := have.At(it.key()); {
		case !known:
		case it.change.Verb == api.Delete && it.entry == "": // none was asked for
		case it.change.Verb == api.Delete:
			it.judgeDelete(e, there && e.ID == it.entry)
		case there:
			it.judgeEntry(e)
		default:
			it.judgeAbsent()
		}
	}
}

// judgeEntry is for a create or replace whose place holds an entry.
func (it *item) judgeEntry(e api.Route) {
	it.seen = e.State
	asked := cloud.Done(e, it.change.Route)
	switch was := it.change.Was; {
	case e.State != api.RouteAvailable && it.failure != nil && !asked:
		it.postpone(fmt.Errorf("the entry there is %s: %w: %w", e.State, api.ErrBusy, it.failure))
	case e.State != api.RouteAvailable:
	case asked:
		it.end(nil)
	case it.change.Verb == api.Replace && was != nil && cloud.Same(e, *was):
		// The change was accepted and does not show yet.
	default:
		it.end(inTheWay(e))
	}
}

// judgeAbsent is for a create or replace whose place is empty. Without a refusal the entry
// may still come.
func (it *item) judgeAbsent() {
	it.seen = ""
	switch {
	case it.failure == nil:
	case errors.Is(it.failure, api.ErrBusy):
		it.postpone(it.failure)
	case errors.Is(it.failure, api.ErrRefused) && call.FailureOf(it.failure).Class != call.Permanent:
		it.state = unseen
	default:
		it.end(it.failure)
	}
}

// judgeDelete is told whether the entry that was to go is there. Until it shows that it goes,
// a refusal stands.
func (it *item) judgeDelete(e api.Route, there bool) {
	it.seen = e.State
	switch {
	case !there:
		it.end(nil)
	case it.failure == nil || errors.Is(it.failure, api.ErrNotFound) || e.State == api.RouteDeleting:
	case errors.Is(it.failure, api.ErrBusy):
		it.postpone(it.failure)
	default:
		it.end(it.failure)
	}
}

// explainTaken finds out what those creates met that were refused for an entry which is not
// among the custom ones.
func (w *Writer) explainTaken(ctx context.Context, items []*item) {
	timed, cancel := context.WithTimeout(ctx, w.Settle)
	defer cancel()
	for _, it := range toDecide(items) {
		met := w.Entries.Occupant(timed, it.key().Table, it.key().Destination)
		if timed.Err() != nil && ctx.Err() == nil {
			met = fmt.Errorf("it was not found in %s: %w", w.Settle, api.ErrBusy)
		}
		// Of the answer only the words: its kind is a guess, and this is known.
		if met = fmt.Errorf("%w (the answer was: %v)", met, it.failure); !errors.Is(met, api.ErrBusy) { //nolint:errorlint // see above
			it.end(met)
			continue
		}
		it.postpone(met)
	}
}

// inTheWay is the refusal that names what has the place.
func inTheWay(e api.Route) error {
	owner := "not ours"
	if !e.Mark.IsZero() {
		owner = "marked " + e.Mark.Name()
	}
	return fmt.Errorf("the entry there is %s, %s, %s: %w", e, e.State, owner, api.ErrRefused)
}
