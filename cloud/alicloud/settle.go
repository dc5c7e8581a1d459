package alicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane/api"
)

const (
	longestLook = time.Second     // pause between two looks at what was just sent
	longestWait = 5 * time.Second // pause between two looks at what is late
	overlap     = 4               // looks under way at once
	small       = 20              // items that a look takes in all together
)

// sighting is what one look saw, and how long after the call it was made.
type sighting struct {
	at   time.Duration
	have sight
	err  error
}

// watch waits until the cloud is done with what was just sent, as far as a few of the items
// show, and returns the items that are not decided yet. It looks for the first time when a
// change of this verb is usually done, then closely, and does not wait for the answer to one
// look before it takes the next. Where nothing is sent after them, or they are few, and it is
// known when to look, it looks at all of them. It gives up early on an item that lags behind
// the others, and after a while on all. The error says why nothing could be seen.
func (p *Provider) watch(ctx context.Context, items []*item, last bool) (rest []*item, err error) {
	verb, sent := items[0].change.Verb, items[0].sent
	usual := p.learned.pause(verb)
	few := few(items, usual > 0 && (last || len(items) <= small))
	sightings := make(chan sighting)
	var looks sync.WaitGroup
	defer looks.Wait()
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.NewTimer(max(usual, p.pollTime))
	defer timer.Stop()
	patience := time.NewTimer(p.patience(usual))
	defer patience.Stop()
	var pending, done time.Duration // when it was last seen pending, and first done
	under, blind := 0, true
	for {
		select {
		case <-timer.C:
			at, keys := time.Since(sent), places(open(few))
			timer.Reset(p.step(at, usual))
			if under++; under > overlap {
				under--
				continue
			}
			looks.Go(func() {
				have, err := p.look(looking, keys)
				select {
				case sightings <- sighting{at, have, err}:
				case <-looking.Done():
				}
			})
		case s := <-sightings:
			err = s.err
			blind = blind && len(s.have.read) == 0
			under--
			judgeAll(few, s.have)
			switch shown := shown(few); {
			case !shown && done == 0:
				pending = max(pending, s.at)
			case done == 0:
				done = s.at
				p.learned.took(verb, min(pending, done), done)
			}
			if len(open(few)) == 0 || done > 0 && s.at > done+done/4+p.pollTime {
				return undecided(items), nil
			}
			if errors.Is(err, api.ErrDenied) {
				return undecided(items), err
			}
		case <-patience.C:
			if !blind {
				err = nil
			}
			return undecided(items), err
		case <-ctx.Done():
			return undecided(items), nil
		}
	}
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
func (p *Provider) patience(usual time.Duration) time.Duration {
	if usual == 0 {
		return p.settleTime / 6
	}
	return min(3*usual+p.settleTime/60, p.settleTime)
}

// step is the pause before the next look: a small part of what has passed, so that few looks
// find out how long something takes, whatever that is.
func (p *Provider) step(passed, usual time.Duration) time.Duration {
	part := passed / 10
	if usual > 0 {
		part = max(usual, passed) / 20
	}
	return jitter(min(max(part, p.pollTime), longestLook))
}

// jitter makes a pause up to a tenth longer.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }

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
		return fmt.Errorf("sent, %s; reading back: %w: %w", seen, api.ErrUnknown, last)
	case it.failure != nil:
		return fmt.Errorf("%s within %s: %w: %w", seen, p.settleTime, api.ErrUnknown, it.failure)
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
