// Package pace keeps a cloud from being asked too much: it wraps cloud.Tables with a rate
// limit for each kind of call and with a few patient repetitions where repeating is safe.
package pace

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Limits bound what passes.
type Limits struct {
	Reads    rate.Limit    // calls per second of each kind of read
	Applies  rate.Limit    // Apply calls per second
	Burst    int           // calls of one kind that may come at once, 1 or more
	Tries    int           // attempts in all, 1 or more
	Pause    time.Duration // before the second attempt; it doubles with each one
	MaxPause time.Duration // no pause is longer
}

// DefaultLimits suit an account that other tools use too: VPC calls are counted for each
// account, region and action together, and the documented rates lie between 2 and 20 a
// second (VPC quota page).
func DefaultLimits() Limits {
	return Limits{Reads: 2, Applies: 1, Burst: 5, Tries: 4, Pause: time.Second, MaxPause: 10 * time.Second}
}

// New returns next with its pace kept. Reads that meet ErrBusy or ErrUnreachable are
// repeated, and so are changes whose result is ErrBusy: these were refused as a whole.
// A change whose outcome is unknown is never repeated, and ErrThrottled ends a call at
// once, since asking again makes it worse.
func New(next cloud.Tables, limits Limits) cloud.Tables {
	bucket := func(r rate.Limit) *rate.Limiter { return rate.NewLimiter(r, max(1, limits.Burst)) }
	return &paced{
		next: next, limits: limits,
		network: bucket(limits.Reads), instances: bucket(limits.Reads), routes: bucket(limits.Reads),
		apply: bucket(limits.Applies),
	}
}

type paced struct {
	next                              cloud.Tables
	limits                            Limits
	network, instances, routes, apply *rate.Limiter
}

func (p *paced) Network(ctx context.Context) (cloud.Network, error) {
	return read(ctx, p, p.network, func() (cloud.Network, error) { return p.next.Network(ctx) })
}

func (p *paced) Instances(ctx context.Context, ids []api.InstanceID) ([]cloud.Instance, error) {
	return read(ctx, p, p.instances, func() ([]cloud.Instance, error) { return p.next.Instances(ctx, ids) })
}

func (p *paced) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	return read(ctx, p, p.routes, func() ([]api.Route, error) { return p.next.Routes(ctx, table) })
}

// read calls until the answer is something else than trouble that passes.
func read[T any](ctx context.Context, p *paced, bucket *rate.Limiter, call func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		if err := wait(ctx, bucket); err != nil {
			var none T
			return none, err
		}
		answer, err := call()
		passes := errors.Is(err, api.ErrBusy) || errors.Is(err, api.ErrUnreachable)
		if !passes || errors.Is(err, api.ErrThrottled) || try >= p.limits.Tries {
			return answer, err
		}
		if p.pause(ctx, try) != nil {
			return answer, err
		}
	}
}

func (p *paced) Apply(ctx context.Context, changes []api.Change) ([]cloud.Result, error) {
	if err := wait(ctx, p.apply); err != nil {
		return nil, err
	}
	results, err := p.next.Apply(ctx, changes)
	if err != nil {
		return nil, err
	}
	for try := 1; try < p.limits.Tries; try++ {
		again := repeatable(results)
		if len(again) == 0 || p.pause(ctx, try) != nil || wait(ctx, p.apply) != nil {
			break
		}
		if !p.repeat(ctx, results, again) {
			break
		}
	}
	return results, nil
}

// repeatable returns the places of the results that were busy; none once the cloud throttles.
func repeatable(results []cloud.Result) []int {
	var busy []int
	for i, r := range results {
		switch {
		case errors.Is(r.Err, api.ErrThrottled):
			return nil
		case errors.Is(r.Err, api.ErrUnknown):
		case errors.Is(r.Err, api.ErrBusy):
			busy = append(busy, i)
		}
	}
	return busy
}

// repeat applies the changes at these places once more and puts their new results there.
// It reports false when the call was not attempted; the old results then still hold.
func (p *paced) repeat(ctx context.Context, results []cloud.Result, at []int) bool {
	changes := make([]api.Change, len(at))
	for i, place := range at {
		changes[i] = results[place].Change
	}
	news, err := p.next.Apply(ctx, changes)
	if err != nil || len(news) != len(at) {
		return false
	}
	for i, place := range at {
		results[place] = news[i]
	}
	return true
}

// wait takes a token. Its error is the context's, also when the token would come too late.
func wait(ctx context.Context, bucket *rate.Limiter) error {
	err := bucket.Wait(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("wait for the rate limit: %w", ctx.Err())
	default:
		return fmt.Errorf("wait for the rate limit: %w", context.DeadlineExceeded)
	}
}

// pause waits between two attempts: doubling, bounded, and between half and all of it, so
// that replicas which failed together do not come back together.
func (p *paced) pause(ctx context.Context, try int) error {
	d := min(p.limits.Pause<<min(try-1, 20), p.limits.MaxPause)
	d = d/2 + rand.N(d/2+1)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
