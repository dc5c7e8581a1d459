// Package write changes the entries of a VPC's route tables: in batches, one call at a time, and
// each change is read back before it is said to be done.
//
// A change is an item. Apply gives all items to a sender, which sends batch after batch
// (requests.go, replace.go), waits for each as long as it takes to see that the cloud is done
// with it (watch.go), and has the rest read back meanwhile (settle.go, judge.go). How long a
// task takes and what the gateway and the RAM policy allow is learned (learned.go, denials.go).
package write

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
	"github.com/sealane/sealane/cloud/alicloud/entries"
)

// Config says where to write, and how patiently.
type Config struct {
	Client  *call.Client
	Entries *entries.Reader
	Seal    api.Seal      // what marks are written with
	Quota   int           // custom entries a table may hold
	Settle  time.Duration // how long a sent change may take to be seen
	Poll    time.Duration // shortest pause between two reads of it
	Log     *slog.Logger
}

// Writer writes to one VPC, for one caller at a time.
type Writer struct {
	Config
	turn    chan struct{} // holds one token: one change of the VPC is in flight
	learned *learned
}

// New returns a writer that has learned nothing yet.
func New(c Config) *Writer {
	return &Writer{Config: c, turn: make(chan struct{}, 1), learned: newLearned()}
}

// Apply makes the changes as cloud.Tables says.
func (w *Writer) Apply(ctx context.Context, changes []api.Change, permit cloud.Permit) ([]cloud.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("apply %d changes: %w", len(changes), err)
	}
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
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
	w.makeChanges(ctx, items, permit)
	results := make([]cloud.Result, len(items))
	for i, it := range items {
		results[i] = cloud.Result{Change: it.change}
		if it.err != nil {
			results[i].Err = fmt.Errorf("%s %s: %w", it.change.Verb, it.change.Route, it.err)
		}
	}
	return results, nil
}
