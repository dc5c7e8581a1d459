package alicloud

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane/api"
)

const (
	longestLook = time.Second // pause between two looks at what was just sent
	overlap     = 4           // looks under way at once
	small       = 20          // items that a look takes in all together
)

// watcher looks at a few items that were just sent.
type watcher struct {
	*Provider
	few   []*item
	verb  api.Verb
	sent  time.Time
	usual time.Duration // that a change of this verb is pending; 0 is not known
	probe bool          // look earlier than that too
	seen  chan sighting

	under   int           // looks under way
	pending time.Duration // when it was last seen pending
	done    time.Duration // and first done
	blind   bool          // nothing was seen yet
	late    bool          // patience is over
	err     error         // of the last look
}

// sighting is what one look saw, and how long after the call it was made.
type sighting struct {
	at   time.Duration
	have sight
	err  error
}

// watch waits until the cloud is done with what was just sent, as far as a few of the items
// show, and returns the items that are not decided yet. It looks for the first time when a
// change of this verb is usually done, or before that if it is in doubt, then closely, and does not wait for the answer to one
// look before it takes the next. Where nothing is sent after them, or they are few, and it is
// known when to look, it looks at all of them. It gives up early on an item that lags behind
// the others, and after a while on all. The error says why nothing could be seen.
func (p *Provider) watch(ctx context.Context, items []*item, last bool) ([]*item, error) {
	verb := items[0].change.Verb
	usual := p.learned.pause(verb)
	w := watcher{
		Provider: p, verb: verb, sent: items[0].sent, usual: usual, probe: p.learned.doubts(verb), seen: make(chan sighting), blind: true,
		few: few(items, usual > 0 && (last || len(items) <= small)),
	}
	var looks sync.WaitGroup
	defer looks.Wait()
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	next, patience := time.NewTimer(max(w.first(), p.pollTime)), time.NewTimer(w.patience())
	defer next.Stop()
	defer patience.Stop()
	for {
		select {
		case <-next.C:
			at, keys := time.Since(w.sent), places(open(w.few))
			next.Reset(w.step(at))
			if w.under < overlap {
				w.under++
				looks.Go(func() { w.glance(looking, at, keys) })
			}
		case s := <-w.seen:
			if w.take(s) || w.late {
				return undecided(items), w.trouble()
			}
		case <-patience.C:
			// Nothing more is sent before it is known whether anything can be seen.
			if w.late = true; !w.blind || w.err != nil {
				return undecided(items), w.trouble()
			}
		case <-ctx.Done():
			return undecided(items), nil
		}
	}
}

// glance takes one look.
func (w *watcher) glance(ctx context.Context, at time.Duration, keys []api.RouteKey) {
	have, err := w.look(ctx, keys)
	select {
	case w.seen <- sighting{at, have, err}:
	case <-ctx.Done():
	}
}

// take learns from a look, and reports whether no other is needed, or of any use.
func (w *watcher) take(s sighting) bool {
	w.under--
	w.err, w.blind = s.err, w.blind && len(s.have.read) == 0
	judgeAll(w.few, s.have)
	switch shown := shown(w.few); {
	case !shown && w.done == 0 && s.err != nil: // it says nothing
	case !shown && w.done == 0:
		w.pending = max(w.pending, s.at)
	case w.done == 0:
		w.done = s.at
		w.learned.took(w.verb, min(w.pending, w.done), w.done)
	}
	lags := w.done > 0 && s.at > w.done+w.done/4+w.pollTime
	return len(open(w.few)) == 0 || lags || errors.Is(s.err, api.ErrDenied)
}

// trouble is why nothing was seen, or will not be.
func (w *watcher) trouble() error {
	if w.blind || errors.Is(w.err, api.ErrDenied) {
		return w.err
	}
	return nil
}

// few are the items that looks take in: all, or a call's worth of those in one table. Items
// that were refused are none, if there are others: they show nothing.
func few(items []*item, all bool) []*item {
	if all {
		return items
	}
	byTable := map[api.TableID][]*item{}
	var best []*item
	for _, it := range items {
		if it.failure != nil {
			continue
		}
		table := it.key().Table
		byTable[table] = append(byTable[table], it)
		if len(byTable[table]) > len(best) {
			best = byTable[table]
		}
	}
	if best == nil {
		best = items
	}
	return best[:min(len(best), filterLimit)]
}

// shown reports whether one of the items shows that the cloud is done: not one that it
// refused.
func shown(items []*item) bool {
	return slices.ContainsFunc(items, func(it *item) bool { return it.decided && it.failure == nil })
}

// patience is how long what was sent may keep others from being sent.
func (w *watcher) patience() time.Duration {
	if w.usual == 0 {
		return w.settleTime / 6
	}
	return min(3*w.usual+w.settleTime/60, w.settleTime)
}

// first is when to look first.
func (w *watcher) first() time.Duration {
	if w.probe {
		return w.usual / 8
	}
	return w.usual
}

// step is the pause before the next look: a small part of what has passed, so that few looks
// find out how long something takes, whatever that is.
func (w *watcher) step(passed time.Duration) time.Duration {
	if left := w.usual - passed; w.probe && left > 0 {
		return max(min(passed, left), w.pollTime) // at an eighth, a quarter, a half of it, and then
	}
	part := passed / 10
	if w.usual > 0 {
		part = max(w.usual, passed) / 20
	}
	return jitter(min(max(part, w.pollTime), longestLook))
}
