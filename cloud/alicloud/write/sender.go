package write

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
	"github.com/sealane/sealane/cloud/alicloud/call"
)

const longestIdle = 5 * time.Second

// sender sends changes one call after the other, and has the earlier ones read back meanwhile.
type sender struct {
	requests
	todo []*item // waiting, in order
	stop error   // why nothing more may be sent
	busy int     // calls in a row that met another task of the VPC

	settling map[api.RouteKey]bool // places of what is being read back
	settlers int                   // goroutines that read back
	settled  chan []*item          // what they give back, decided or to be sent again

	unsettled map[api.RouteKey]bool // places with a change of unknown outcome
	full      map[api.TableID]error // tables that take no more entries

	closed      map[scope]error // tables that refused all changes of a verb
	perTable    bool            // a batch keeps to one table
	batchDenial error           // the denial of a batch, until it is known what it was about
}

// makeChanges gives every item its outcome. The caller holds the writer's turn.
func (w *Writer) makeChanges(ctx context.Context, items []*item, permit cloud.Permit) {
	s := &sender{
		requests: requests{w, permit}, settling: map[api.RouteKey]bool{}, settled: make(chan []*item),
		unsettled: map[api.RouteKey]bool{}, full: map[api.TableID]error{}, closed: map[scope]error{},
	}
	for _, it := range items {
		if it.state != decided {
			s.todo = append(s.todo, it)
		}
	}
	orderDeletes(items)
	for len(s.todo) > 0 || s.settlers > 0 {
		if s.stop == nil {
			s.stop = ctx.Err()
		}
		if s.stop != nil {
			s.cancelRest()
		}
		switch batch := s.nextBatch(time.Now()); {
		case len(batch) > 0:
			s.sendBatch(ctx, batch)
			s.collectSettled()
		case len(s.todo) > 0 || s.settlers > 0:
			s.waitForNext(ctx)
		}
	}
}

// nextBatch takes the batch to send now out of what is to do: the first change that may be sent,
// and with it those of the same verb after it. A change waits for those before it of the
// same place, and a delete for what covers it; it ends with them where their outcome is unknown.
func (s *sender) nextBatch(now time.Time) []*item {
	var batch []*item
	waits := maps.Clone(s.settling)
	limit := 0
	for _, it := range s.todo {
		verb, key := it.change.Verb, it.key()
		if len(batch) > 0 && verb != batch[0].change.Verb {
			break
		}
		wait, err := s.coverOf(it)
		err = cmp.Or(err, s.refusalOf(it))
		switch {
		case waits[key] || it.due.After(now) || wait:
			waits[key] = true
			continue
		case err != nil:
			it.end(err)
			continue
		case s.perTable && len(batch) > 0 && key.Table != batch[0].key().Table:
			waits[key] = true
			continue
		case verb == api.Create && s.full[key.Table] != nil:
			it.end(s.full[key.Table])
			continue
		}
		if len(batch) == 0 {
			limit = s.learned.batchSize(verb)
		}
		if limit = min(limit, cmp.Or(it.limit, limit)); len(batch) >= limit {
			break
		}
		batch = append(batch, it)
		waits[key] = true
	}
	chosen := map[*item]bool{}
	for _, it := range batch {
		chosen[it] = true
	}
	s.todo = slices.DeleteFunc(s.todo, func(it *item) bool { return it.state == decided || chosen[it] })
	return batch
}

// refusalOf is why a change is not sent at all.
func (s *sender) refusalOf(it *item) error {
	if s.unsettled[it.key()] {
		return fmt.Errorf("the change before it is not settled: %w", api.ErrBusy)
	}
	return s.denialOf(it)
}

// sendBatch sends a batch, waits until the cloud is done with it as far as a few entries show,
// and leaves the rest to be read back while the next batch is on its way.
func (s *sender) sendBatch(ctx context.Context, batch []*item) {
	for _, it := range batch {
		it.startAttempt()
	}
	live, err := s.request(ctx, batch)
	if !s.handleAnswer(ctx, live, err) {
		s.putBack(batch)
		return
	}
	now := time.Now()
	for _, it := range live {
		if it.sentAt = now; it.change.Verb == api.Create {
			s.Entries.Added(it.key().Table)
		}
	}
	rest, err := s.watch(ctx, live, len(s.todo) == 0)
	s.stop = cmp.Or(s.stop, err)
	s.putBack(slices.DeleteFunc(batch, func(it *item) bool { return slices.Contains(rest, it) }))
	if len(rest) == 0 {
		return
	}
	s.settlers++
	for _, it := range rest {
		s.settling[it.key()] = true
	}
	go func() {
		s.settle(ctx, rest)
		s.settled <- rest
	}()
}

// request makes the call for a batch. live are the items that it is about, and err is its
// answer for them; the others have their outcome, or came too early.
func (s *sender) request(ctx context.Context, batch []*item) (live []*item, err error) {
	switch batch[0].change.Verb {
	case api.Create:
		return batch, s.create(ctx, batch)
	case api.Delete:
		if live, err = s.readBeforeDelete(ctx, batch); err != nil || len(live) == 0 {
			return live, err
		}
		return live, s.delete(ctx, live)
	default:
		return s.replace(ctx, batch[0])
	}
}

// putBack notes what is decided and returns what is not to the front. What came too early
// waits a while.
func (s *sender) putBack(items []*item) {
	var open []*item
	for _, it := range items {
		if it.state == postponed {
			it.due = time.Now().Add(call.BackOff(s.Poll, it.tried))
		}
		switch {
		case it.state != decided:
			it.state = waiting
			open = append(open, it)
		case errors.Is(it.err, api.ErrUnknown):
			s.unsettled[it.key()] = true
		case errors.Is(it.err, api.ErrQuota):
			s.full[it.key().Table] = it.err
		case it.change.Verb == api.Delete && it.err == nil:
			delete(s.full, it.key().Table)
		}
	}
	s.todo = append(open, s.todo...)
}

// collectSettled takes back what was read back so far.
func (s *sender) collectSettled() {
	for {
		select {
		case items := <-s.settled:
			s.takeBack(items)
		default:
			return
		}
	}
}

func (s *sender) takeBack(items []*item) {
	s.settlers--
	for _, it := range items {
		delete(s.settling, it.key())
		if stopsAll(it.err) {
			s.stop = cmp.Or(s.stop, causeOf(it.err))
		}
	}
	s.putBack(items)
}

// waitForNext waits until something is read back or due, or the context ends.
func (s *sender) waitForNext(ctx context.Context) {
	first := time.Now().Add(longestIdle)
	waits := maps.Clone(s.settling)
	for _, it := range s.todo {
		wait, _ := s.coverOf(it)
		if key := it.key(); !waits[key] && !wait && it.due.Before(first) {
			first = it.due
		}
		waits[it.key()] = true
	}
	var due <-chan time.Time
	if len(s.todo) > 0 {
		due = time.After(time.Until(first))
	}
	done := ctx.Done()
	if s.stop != nil {
		done = nil // what is read back comes by itself
	}
	select {
	case items := <-s.settled:
		s.takeBack(items)
	case <-due:
	case <-done:
	}
}

// cancelRest ends what was not sent.
func (s *sender) cancelRest() {
	for _, it := range s.todo {
		it.end(cmp.Or(it.err, s.stop))
	}
	s.todo = nil
}
