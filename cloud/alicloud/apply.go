package alicloud

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// item is one change on its way. It has one owner at a time: the series that sends it, then the
// goroutine that reads it back, which hands it home again.
type item struct {
	change  api.Change
	decided bool
	left    bool    // to another attempt
	after   []*item // a delete waits for these, which make what leads its traffic
	err     error   // the outcome when decided; before that, why it is not done yet

	sent  time.Time // when the call that made it was answered
	due   time.Time // not to be sent before
	busy  int       // how often it was told to come again
	most  int       // entries that a batch with it may have, 0 for no such limit
	token string    // a single create's ClientToken, the same for every attempt
	entry string    // the entry id that a delete is about
	dry   bool      // only asked, to be refused or not: nothing is made

	answer  error          // what the call was answered, where that leaves the outcome open
	failure error          // how the cloud refused it within a batch; read back before it is believed
	alone   bool           // ask for it alone: the batch did not say why it was refused
	hidden  bool           // refused for an entry that is not among the custom ones: look closer
	seen    api.RouteState // what was last read of it
}

func (it *item) key() api.RouteKey { return it.change.Route.Key() }

func (it *item) end(err error) { it.decided, it.err = true, err }

// again leaves the item to another attempt, unless it had its share of them.
func (it *item) again(err error) {
	it.left, it.err = true, err
	if it.busy++; it.busy >= tries {
		it.decided = true
	}
}

// Apply implements cloud.Tables.
func (p *Provider) Apply(ctx context.Context, changes []api.Change, permit cloud.Permit) ([]cloud.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("apply %d changes: %w", len(changes), err)
	}
	select {
	case p.writing <- struct{}{}:
		defer func() { <-p.writing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("apply %d changes: %w", len(changes), ctx.Err())
	}
	items := make([]*item, len(changes))
	for i, c := range changes {
		items[i] = &item{change: c}
		if err := cloud.Validate(c); err != nil {
			items[i].end(err)
		}
	}
	p.perform(ctx, items, permit)
	results := make([]cloud.Result, len(items))
	for i, it := range items {
		results[i] = cloud.Result{Change: it.change}
		if it.err != nil {
			results[i].Err = fmt.Errorf("%s %s: %w", it.change.Verb, it.change.Route, it.err)
		}
	}
	return results, nil
}

// perform gives every item its outcome. The caller holds the token of the VPC.
func (p *Provider) perform(ctx context.Context, items []*item, permit cloud.Permit) {
	r := &series{
		Provider: p, permit: permit, away: map[api.RouteKey]bool{}, lost: map[api.RouteKey]bool{},
		full: map[api.TableID]error{}, home: make(chan []*item),
	}
	for _, it := range items {
		if !it.decided {
			r.todo = append(r.todo, it)
		}
	}
	holdBack(items)
	for len(r.todo) > 0 || r.out > 0 {
		if r.stop == nil {
			r.stop = ctx.Err()
		}
		if r.stop != nil {
			r.abandon()
		}
		switch batch := r.next(time.Now()); {
		case len(batch) > 0:
			r.take(ctx, batch)
			r.welcome()
		case len(r.todo) > 0 || r.out > 0:
			r.idle(ctx)
		}
	}
}
