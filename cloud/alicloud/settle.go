package alicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sealane/sealane/api"
)

const longestWait = 5 * time.Second // pause between two looks at what is late

// settle reads back until every item has its outcome or is left to another attempt. What is
// not seen within the settle time is unknown.
func (p *Provider) settle(ctx context.Context, items []*item) {
	timed, cancel := context.WithDeadline(ctx, items[0].sent.Add(p.settleTime))
	defer cancel()
	var last error // of reading
	for waiting := open(items); len(waiting) > 0; {
		have, err := p.look(timed, places(waiting))
		if timed.Err() != nil {
			break
		}
		last = err
		judgeAll(waiting, have)
		if waiting = open(waiting); len(waiting) == 0 {
			break
		}
		passed := time.Since(items[0].sent)
		if errors.Is(err, api.ErrDenied) || !sleep(timed, jitter(min(max(passed/8, p.pollTime), longestWait))) {
			break
		}
	}
	last = cmp.Or(ctx.Err(), last)
	for _, it := range open(items) {
		it.end(p.unsettled(it, last))
	}
	p.explain(ctx, items)
}

// unsettled is the outcome of an item that was sent and not seen in its final state.
func (p *Provider) unsettled(it *item, last error) error {
	seen := "not seen"
	if it.seen != "" {
		seen = "last seen " + string(it.seen)
	}
	switch {
	case last != nil:
		return errors.Join(fmt.Errorf("sent, %s; reading back: %w: %w", seen, api.ErrUnknown, last), it.answer)
	case it.failure != nil:
		return fmt.Errorf("%s within %s: %w: %w", seen, p.settleTime, api.ErrUnknown, it.failure)
	case it.answer != nil:
		return fmt.Errorf("%w; %s within %s", it.answer, seen, p.settleTime)
	}
	return fmt.Errorf("sent, %s within %s: %w", seen, p.settleTime, api.ErrUnknown)
}

// sleep waits, and reports false when the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backOff is the pause after so many answers that something else is in flight: doubling,
// bounded, and between half and all of it, since whoever else writes waits as well.
func (p *Provider) backOff(n int) time.Duration {
	d := min(10*p.pollTime<<min(max(n-1, 0), 20), longestPause)
	return d/2 + rand.N(d/2+1)
}

// pause is the back-off after so many tries, from 0; it reports false when the context ended
// before.
func (p *Provider) pause(ctx context.Context, try int) bool { return sleep(ctx, p.backOff(try+1)) }

// jitter makes a pause up to a tenth longer.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }
