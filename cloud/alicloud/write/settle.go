package write

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sealane/sealane/api"
)

const longestWait = 5 * time.Second // pause between two reads of what is late

// settle reads back until every item has its outcome or is left to another attempt. What is
// not seen within the settle time is unknown.
func (w *Writer) settle(ctx context.Context, items []*item) {
	timed, cancel := context.WithDeadline(ctx, items[0].sentAt.Add(w.Settle))
	defer cancel()
	var last error // of reading
	for open := toRead(items); len(open) > 0; {
		have, err := w.Entries.ReadPlaces(timed, keysOf(open))
		if timed.Err() != nil {
			break
		}
		last = err
		judgeAll(open, have)
		if open = toRead(open); len(open) == 0 {
			break
		}
		passed := time.Since(items[0].sentAt)
		if errors.Is(err, api.ErrDenied) {
			break
		}
		select {
		case <-time.After(addJitter(min(max(passed/8, w.Poll), longestWait))):
		case <-timed.Done():
		}
	}
	last = cmp.Or(ctx.Err(), last)
	for _, it := range toRead(items) {
		it.end(w.unsettledOutcome(it, last))
	}
	w.explainTaken(ctx, items)
}

// unsettledOutcome is the outcome of an item that was sent and not seen in its final state.
func (w *Writer) unsettledOutcome(it *item, last error) error {
	seen := "not seen"
	if it.seen != "" {
		seen = "last seen " + string(it.seen)
	}
	switch {
	case last != nil:
		return errors.Join(fmt.Errorf("sent, %s; reading back: %w: %w", seen, api.ErrUnknown, last), it.answer)
	case it.failure != nil:
		return fmt.Errorf("%s within %s: %w: %w", seen, w.Settle, api.ErrUnknown, it.failure)
	case it.answer != nil:
		return fmt.Errorf("%w; %s within %s", it.answer, seen, w.Settle)
	}
	return fmt.Errorf("sent, %s within %s: %w", seen, w.Settle, api.ErrUnknown)
}

// addJitter makes a pause up to a tenth longer.
func addJitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }
