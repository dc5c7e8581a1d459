package alicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

const (
	// tries is how often a change is sent while something else is in flight. With pauses that
	// double from 200 ms this spans about six seconds; a task of the VPC takes a few.
	tries = 6

	longestPause = 5 * time.Second
)

// series sends changes one call after the other, and has the earlier ones read back meanwhile.
type series struct {
	*Provider
	permit cloud.Permit

	todo []*item               // not sent, in order
	away map[api.RouteKey]bool // places of what is being read back
	lost map[api.RouteKey]bool // places with a change of unknown outcome
	full map[api.TableID]error // tables that take no more entries
	out  int                   // goroutines that read back
	home chan []*item          // what they hand back, decided or to be sent again
	busy int                   // calls in a row that met another task of the VPC

	shut  map[scope]error // tables that refused all changes of a verb
	apart bool            // a batch keeps to one table
	doubt error           // the denial of a batch, until it is known what it was about

	stop error // why nothing more may be sent
}

// next takes the batch to send now out of what is to do: the first change that may be sent,
// and with it those of the same verb after it. A change waits for those before it of the
// same place, and a delete for what covers it; it ends with them where their outcome is unknown.
func (r *series) next(now time.Time) []*item {
	var batch []*item
	waits := maps.Clone(r.away)
	limit := 0
	for _, it := range r.todo {
		verb, key := it.change.Verb, it.key()
		switch full := r.full[key.Table]; {
		case len(batch) > 0 && verb != batch[0].change.Verb:
		case waits[key] || it.due.After(now) || r.held(it):
			waits[key] = true
			continue
		case it.decided:
			continue
		case r.lost[key]:
			it.end(fmt.Errorf("the change before it is not settled: %w", api.ErrBusy))
			continue
		case r.shutOut(it) != nil:
			it.end(r.shutOut(it))
			continue
		case r.apart && len(batch) > 0 && key.Table != batch[0].key().Table:
			waits[key] = true
			continue
		case verb == api.Create && full != nil:
			it.end(full)
			continue
		default:
			if len(batch) == 0 {
				limit = r.learned.batch(verb)
			}
			limit = min(limit, cmp.Or(it.most, limit))
			if len(batch) < limit {
				batch = append(batch, it)
				waits[key] = true
				continue
			}
		}
		break
	}
	chosen := map[*item]bool{}
	for _, it := range batch {
		chosen[it] = true
	}
	r.todo = slices.DeleteFunc(r.todo, func(it *item) bool { return it.decided || chosen[it] })
	return batch
}

// take sends a batch, waits until the cloud is done with it as far as a few entries show,
// and leaves the rest to be read back while the next batch is on its way.
func (r *series) take(ctx context.Context, batch []*item) {
	for _, it := range batch {
		it.left, it.hidden, it.failure, it.answer = false, false, nil, nil
	}
	live, err := r.send(ctx, batch)
	if !r.answered(ctx, live, err) {
		r.putBack(batch)
		return
	}
	now := time.Now()
	for _, it := range live {
		if it.sent = now; it.change.Verb == api.Create {
			r.learned.grew(it.key().Table)
		}
	}
	rest, err := r.watch(ctx, live, len(r.todo) == 0)
	r.stop = cmp.Or(r.stop, err)
	r.putBack(slices.DeleteFunc(batch, func(it *item) bool { return slices.Contains(rest, it) }))
	if len(rest) == 0 {
		return
	}
	r.out++
	for _, it := range rest {
		r.away[it.key()] = true
	}
	go func() {
		r.settle(ctx, rest)
		r.home <- rest
	}()
}

// answered deals with the answer to a call. It reports whether the changes may be under way.
func (r *series) answered(ctx context.Context, live []*item, err error) bool {
	if len(live) == 0 {
		return false
	}
	verb, alone := live[0].change.Verb, len(live) == 1
	f := judged(err)
	switch {
	case err == nil:
		r.busy = 0
		r.allowed(ctx, verb)
		return true
	case f.write && tooLong(f.code, f.status) && !alone:
		r.learned.tooLong(verb, len(live))
	case f.write && f.one && !alone:
		limit(live, (len(live)+1)/2)
	case f.write && f.class == unknown:
		for _, it := range live {
			it.answer = err
		}
		if f.one {
			live[0].failure = err
		}
		return true
	case r.ofTable(ctx, live, f, err):
	case errors.Is(err, api.ErrBusy):
		r.hold(ctx, live, err, f.one)
	default:
		endAll(live, err)
		if stops(err) {
			r.stop = cmp.Or(r.stop, err)
		}
	}
	return false
}

// hold leaves changes to another attempt. When it is not they but the VPC that is busy, the
// others wait too; after so many answers of that kind in a row nobody waits any more.
func (r *series) hold(ctx context.Context, live []*item, err error, one bool) {
	if one {
		live[0].again(err)
		return
	}
	if r.busy++; r.busy >= tries {
		endAll(live, err)
		return
	}
	for _, it := range live {
		it.err = err
	}
	sleep(ctx, r.backOff(r.busy))
}

// limit has items travel in smaller batches, down to the one that is to blame.
func limit(items []*item, n int) {
	for _, it := range items {
		it.most = n
	}
}

// putBack notes what is decided and returns what is not to the front. What came too early
// waits a while.
func (r *series) putBack(items []*item) {
	var open []*item
	for _, it := range items {
		switch {
		case !it.decided:
			if it.left {
				it.due = time.Now().Add(r.backOff(it.busy))
			}
			open = append(open, it)
		case errors.Is(it.err, api.ErrUnknown):
			r.lost[it.key()] = true
		case errors.Is(it.err, api.ErrQuota):
			r.full[it.key().Table] = it.err
		case it.change.Verb == api.Delete && it.err == nil:
			delete(r.full, it.key().Table)
		}
	}
	r.todo = append(open, r.todo...)
}

// welcome takes in what was read back so far.
func (r *series) welcome() {
	for {
		select {
		case items := <-r.home:
			r.receive(items)
		default:
			return
		}
	}
}

func (r *series) receive(items []*item) {
	r.out--
	for _, it := range items {
		delete(r.away, it.key())
		if stops(it.err) {
			r.stop = cmp.Or(r.stop, cause(it.err))
		}
	}
	r.putBack(items)
}

// idle waits until something comes home, is due, or the context ends.
func (r *series) idle(ctx context.Context) {
	first := time.Now().Add(longestPause)
	waits := maps.Clone(r.away)
	for _, it := range r.todo {
		if key := it.key(); !waits[key] && !r.held(it) && it.due.Before(first) {
			first = it.due
		}
		waits[it.key()] = true
	}
	var due <-chan time.Time
	if len(r.todo) > 0 {
		timer := time.NewTimer(time.Until(first))
		defer timer.Stop()
		due = timer.C
	}
	done := ctx.Done()
	if r.stop != nil {
		done = nil // what is out comes home by itself
	}
	select {
	case items := <-r.home:
		r.receive(items)
	case <-due:
	case <-done:
	}
}

// abandon ends what was not sent.
func (r *series) abandon() {
	for _, it := range r.todo {
		it.end(cmp.Or(it.err, r.stop))
	}
	r.todo = nil
}

func endAll(items []*item, err error) {
	for _, it := range items {
		it.end(err)
	}
}

// cause is what stops others, without the outcome of the change that met it: what was not
// sent is not unknown.
func cause(err error) error {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end
		}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return err
}

// stops reports whether after this error nothing more may be sent.
func stops(err error) bool {
	if errors.Is(err, errOfTable) {
		return false
	}
	return errors.Is(err, errNotPermitted) || errors.Is(err, api.ErrThrottled) || errors.Is(err, api.ErrDenied) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
