package write

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/entries"
)

const (
	longestPause = time.Second // between two reads of what was just sent
	overlap      = 4           // reads under way at once
	small        = 20          // items that a read takes in all together
)

// watcher reads a few items that were just sent.
type watcher struct {
	*Writer
	few   []*item
	verb  api.Verb
	sent  time.Time
	usual time.Duration // that a change of this verb is pending; 0 is not known
	probe bool          // read earlier than that too
	reads chan reading

	under   int           // reads under way
	pending time.Duration // when it was last seen pending
	done    time.Duration // and first done
	blind   bool          // nothing was seen yet
	late    bool          // patience is over
	err     error         // of the last read
}

// reading is what one read saw, and how long after the call it was made.
type reading struct {
	at   time.Duration
	have entries.Sight
	err  error
}

// watch waits until the cloud is done with what was just sent, as far as a few of the items
// show, and returns the items that are not decided yet. It reads for the first time when a change
// of this verb is usually done, or before that if it is in doubt, then closely, and does not wait
// for the answer to one read before it makes the next. Where nothing is sent after them, or they
// are few, and it is known when to read, it reads all of them. It gives up early on an item that
// lags behind the others, and after a while on all. The error says why nothing could be seen.
func (w *Writer) watch(ctx context.Context, items []*item, last bool) ([]*item, error) {
	verb := items[0].change.Verb
	usual := w.learned.usualTime(verb)
	x := watcher{
		Writer: w, verb: verb, sent: items[0].sentAt, usual: usual, probe: w.learned.inDoubt(verb), reads: make(chan reading), blind: true,
		few: pickFew(items, usual > 0 && (last || len(items) <= small)),
	}
	var group sync.WaitGroup
	defer group.Wait()
	readCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, patience := time.NewTimer(max(x.firstRead(), w.Poll)), time.After(x.patience())
	defer next.Stop()
	for {
		select {
		case <-next.C:
			at, keys := time.Since(x.sent), keysOf(toRead(x.few))
			next.Reset(x.nextPause(at))
			if x.under < overlap {
				x.under++
				group.Go(func() { x.readOnce(readCtx, at, keys) })
			}
		case got := <-x.reads:
			if x.learn(got) || x.late {
				return toDecide(items), x.trouble()
			}
		case <-patience:
			// Nothing more is sent before it is known whether anything can be seen.
			if x.late = true; !x.blind || x.err != nil {
				return toDecide(items), x.trouble()
			}
		case <-ctx.Done():
			return toDecide(items), nil
		}
	}
}

// readOnce makes one read.
func (w *watcher) readOnce(ctx context.Context, at time.Duration, keys []api.RouteKey) {
	have, err := w.Entries.ReadPlaces(ctx, keys)
	select {
	case w.reads <- reading{at, have, err}:
	case <-ctx.Done():
	}
}

// learn takes in a read, and reports whether no other is needed, or of any use.
func (w *watcher) learn(got reading) bool {
	w.under--
	w.err, w.blind = got.err, w.blind && got.have.Empty()
	judgeAll(w.few, got.have)
	switch shown := anyShown(w.few); {
	case !shown && w.done == 0 && got.err != nil: // it says nothing
	case !shown && w.done == 0:
		w.pending = max(w.pending, got.at)
	case w.done == 0:
		w.done = got.at
		w.learned.noteTime(w.verb, min(w.pending, w.done), w.done)
	}
	lags := w.done > 0 && got.at > w.done+w.done/4+w.Poll
	return len(toRead(w.few)) == 0 || lags || errors.Is(got.err, api.ErrDenied)
}

// trouble is why nothing was seen, or will not be.
func (w *watcher) trouble() error {
	if w.blind || errors.Is(w.err, api.ErrDenied) {
		return w.err
	}
	return nil
}

// pickFew are the items that reads take in: all, or a call's worth of those in one table. Items
// that were refused are none, if there are others: they show nothing.
func pickFew(items []*item, all bool) []*item {
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
	return best[:min(len(best), entries.FilterLimit)]
}

// anyShown reports whether one of the items shows that the cloud is done: not one that it
// refused.
func anyShown(items []*item) bool {
	return slices.ContainsFunc(items, func(it *item) bool { return it.state == decided && it.failure == nil })
}

// patience is how long what was sent may keep others from being sent.
func (w *watcher) patience() time.Duration {
	if w.usual == 0 {
		return w.Settle / 6
	}
	return min(3*w.usual+w.Settle/60, w.Settle)
}

// firstRead is when to read first.
func (w *watcher) firstRead() time.Duration {
	if w.probe {
		return w.usual / 8
	}
	return w.usual
}

// nextPause is the pause before the next read: a small part of what has passed, so that few reads
// find out how long something takes, whatever that is.
func (w *watcher) nextPause(passed time.Duration) time.Duration {
	if left := w.usual - passed; w.probe && left > 0 {
		return max(min(passed, left), w.Poll) // at an eighth, a quarter, a half of it, and then
	}
	part := passed / 10
	if w.usual > 0 {
		part = max(w.usual, passed) / 20
	}
	return addJitter(min(max(part, w.Poll), longestPause))
}
