package write

import (
	"fmt"
	"time"

	"github.com/sealane/sealane/api"
)

// Tries is how often a change is sent while something else is in flight. With pauses that
// double from 200 ms this spans about six seconds; a task of the VPC takes a few.
const Tries = 6

// state is how far a change has come.
//
//	state      what it means                      what comes next
//	waiting    not sent, or nothing came of it    sent; decided where it must not be sent
//	sent       its call is made; read back        decided once it is seen; unseen; postponed;
//	                                              waiting where the call did nothing at all
//	unseen     refused for an entry that is not   decided once it is known what is there;
//	           among the custom ones              postponed
//	postponed  came too early                     waiting, for a pause
//	decided    err is the outcome                 nothing
type state int

const (
	waiting state = iota
	sent
	unseen
	postponed
	decided
)

// item is one change on its way. It has one owner at a time: the sender, then the goroutine that
// reads it back, which gives it back in the end.
type item struct {
	change api.Change
	state  state
	err    error // the outcome when decided; before that, why it is not done yet

	after []*item   // a delete waits for these, which make what leads its traffic
	due   time.Time // not to be sent before
	tried int       // how often it was postponed
	limit int       // entries that a batch with it may have, 0 for no such limit
	alone bool      // ask for it by the single call: the batch did not say why it was refused
	dry   bool      // only asked, to be refused or not: nothing is made

	sentAt  time.Time      // when the call that made it was answered
	token   string         // a single create's ClientToken, the same for every attempt
	entry   string         // the entry id that a delete is about
	answer  error          // what the call was answered, where that leaves the outcome open
	failure error          // how the cloud refused it within a batch; read back before it is believed
	seen    api.RouteState // what was last read of it
}

func (it *item) key() api.RouteKey { return it.change.Route.Key() }

// startAttempt forgets what became of a former attempt.
func (it *item) startAttempt() { it.state, it.failure, it.answer = sent, nil, nil }

func (it *item) end(err error) { it.state, it.err = decided, err }

// postpone leaves the item to another attempt, unless it had its share of them.
func (it *item) postpone(err error) {
	it.state, it.err = postponed, err
	if it.tried++; it.tried >= Tries {
		it.state = decided
	}
}

// toDecide are the items that were sent, and have no outcome.
func toDecide(items []*item) []*item {
	var rest []*item
	for _, it := range items {
		if it.state == sent || it.state == unseen {
			rest = append(rest, it)
		}
	}
	return rest
}

// toRead are those of them that another reading of the custom entries may decide.
func toRead(items []*item) []*item {
	var rest []*item
	for _, it := range items {
		if it.state == sent {
			rest = append(rest, it)
		}
	}
	return rest
}

func endAll(items []*item, err error) {
	for _, it := range items {
		it.end(err)
	}
}

// limitBatches has items travel in smaller batches, down to the one that is to blame.
func limitBatches(items []*item, n int) {
	for _, it := range items {
		it.limit = n
	}
}

func keysOf(items []*item) []api.RouteKey {
	keys := make([]api.RouteKey, len(items))
	for i, it := range items {
		keys[i] = it.key()
	}
	return keys
}

// routeText names a route without its next hop, for errors.
func routeText(r api.Route) string { return fmt.Sprintf("%s in %s", r.Destination, r.Table) }

// batchText names what a batch is about, for errors.
func batchText(items []*item) string {
	in := map[api.TableID]bool{}
	for _, it := range items {
		in[it.key().Table] = true
	}
	switch {
	case len(items) == 1:
		return routeText(items[0].change.Route)
	case len(in) == 1:
		return fmt.Sprintf("%d entries in %s", len(items), items[0].key().Table)
	default:
		return fmt.Sprintf("%d entries in %d tables", len(items), len(in))
	}
}
