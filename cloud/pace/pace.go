// Package pace keeps a cloud from being asked too much. A [Pacer] stands before every single
// call: each action has a bucket of tokens of its own and a back-off of its own, since the
// cloud counts calls for each action by itself, and one that is throttled must not starve the
// others. It is a Prometheus collector of what was asked and of what may be asked yet.
// [Patient] repeats reads that a moment's trouble spoiled.
package pace

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealane/sealane/api"
)

// Limit bounds the calls of one action.
type Limit struct {
	PerMinute int // calls in the long run, 1 or more
	Burst     int // calls that may come at once, 1 or more
}

// Limits are what an account may be asked for.
type Limits struct {
	Actions map[string]Limit
	Others  Limit // for each action that is not named

	Pause    time.Duration // after being throttled, if the cloud names none; it doubles with each time
	MaxPause time.Duration // no pause is longer, whatever the cloud names
	MaxWait  time.Duration // a call that would wait longer is refused at once
}

// DefaultLimits suit an account that other tools use too: VPC calls are counted for each
// account, region and action together. Few rates are documented, from 120 to 1200 a minute
// (VPC quota page); ECS takes 500 and more. A burst is a pass over ten tables, or the reads
// at a few batches.
func DefaultLimits() Limits {
	write := Limit{PerMinute: 300, Burst: 20}
	return Limits{
		Actions: map[string]Limit{
			"CreateRouteEntries": write, "DeleteRouteEntries": write,
			"CreateRouteEntry": write, "DeleteRouteEntry": write, "ModifyRouteEntry": write,
			"GetVpcRouteEntrySummary": {PerMinute: 60, Burst: 5},
			"DescribeRouteEntryList":  {PerMinute: 600, Burst: 100},
		},
		Others: Limit{PerMinute: 300, Burst: 20},
		Pause:  time.Second, MaxPause: time.Minute, MaxWait: 5 * time.Second,
	}
}

// Pacer lets calls pass when their turn has come. Its methods may be called from several
// goroutines.
type Pacer struct {
	limits Limits
	tally  tally

	mu      sync.Mutex // guards all below
	actions map[string]*action
}

// action is what is known of one.
type action struct {
	bucket    *rate.Limiter
	limit     Limit
	throttled int       // how often in a row it was closed
	shut      time.Time // when it was closed last
	closed    time.Time // no call before
}

// New returns a pacer that has let nothing pass yet.
func New(limits Limits) *Pacer {
	return &Pacer{limits: limits, tally: newTally(), actions: map[string]*action{}}
}

// action finds one by its name. The caller holds mu.
func (p *Pacer) action(name string) *action {
	a, ok := p.actions[name]
	if !ok {
		limit, named := p.limits.Actions[name]
		if !named {
			limit = p.limits.Others
		}
		limit.PerMinute, limit.Burst = max(1, limit.PerMinute), max(1, limit.Burst)
		a = &action{bucket: rate.NewLimiter(rate.Limit(limit.PerMinute)/60, limit.Burst), limit: limit}
		p.actions[name] = a
	}
	return a
}

// Wait returns when a call of the action may be made. It is ErrThrottled where that is too
// far away to wait for, and the context's error when that ends before.
func (p *Pacer) Wait(ctx context.Context, name string) error {
	start := time.Now()
	good, err := p.reserve(name, start)
	for err == nil && time.Until(good) > 0 {
		select {
		case <-time.After(time.Until(good)):
		case <-ctx.Done():
			return fmt.Errorf("wait for the turn of %s: %w", name, ctx.Err())
		}
		good, err = p.reopens(name, start) // it may have closed meanwhile
	}
	return err
}

// reserve takes a token, and says when it is good.
func (p *Pacer) reserve(name string, now time.Time) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.action(name)
	token := a.bucket.ReserveN(now, 1)
	good := now.Add(token.DelayFrom(now))
	if a.closed.After(good) {
		good = a.closed
	}
	err := p.checkWait(name, now, good)
	if err != nil {
		token.CancelAt(now)
	}
	return good, err
}

// reopens says when the action is open again, to one who has a token and waits since start.
func (p *Pacer) reopens(name string, start time.Time) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.action(name)
	return a.closed, p.checkWait(name, start, a.closed)
}

// checkWait refuses to wait for what is too far away. The caller holds mu.
func (p *Pacer) checkWait(name string, start, good time.Time) error {
	if good.Sub(start) <= p.limits.MaxWait {
		return nil
	}
	p.tally.held.WithLabelValues(name).Inc()
	return fmt.Errorf("%s is not asked for another %s: %w", name, time.Until(good).Round(time.Millisecond), api.ErrThrottled)
}

// Answered learns from what became of a call: after ErrThrottled there are no calls of the
// action for as long as the cloud asks, or for a pause that doubles each time. Calls that
// were under way already say nothing new: a burst that is throttled is throttled once.
func (p *Pacer) Answered(name string, took time.Duration, err error, wait time.Duration) {
	p.tally.noteCall(name, took, err)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.action(name)
	old := now.Add(-took).Before(a.shut)
	switch throttled := errors.Is(err, api.ErrThrottled); {
	case !throttled && !old:
		a.throttled = 0
		return
	case !throttled || old && wait <= 0:
		return
	}
	pause := p.limits.Pause << min(a.throttled, 20)
	if wait > 0 {
		pause = wait
	}
	if !old {
		a.throttled++
		a.shut = now
	}
	// Replicas and other tools that were throttled together must not come back together.
	pause = min(pause+rand.N(pause/4+1), p.limits.MaxPause)
	if until := now.Add(pause); until.After(a.closed) {
		a.closed = until
	}
}
