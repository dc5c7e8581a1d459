package write

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// orderDeletes has each delete wait for the creates and replaces before it whose destination
// covers its own: of a move that was cut off, the plan makes the entry and takes its halves
// away, and where the one fails the others are all that leads the traffic.
func orderDeletes(items []*item) {
	made := map[api.RouteKey][]*item{}
	for _, it := range items {
		key := it.key()
		switch {
		case !key.Destination.IsValid():
		case it.change.Verb != api.Delete:
			made[key] = append(made[key], it)
		default:
			for bits := key.Destination.Bits() - 1; bits > 0; bits-- {
				wider := netip.PrefixFrom(key.Destination.Addr(), bits).Masked()
				it.after = append(it.after, made[api.RouteKey{Table: key.Table, Destination: wider}]...)
			}
		}
	}
}

// coverOf says of a delete whether it has to wait for what covers it. The error is why it must
// not be sent at all: that failed, or may have.
func (s *sender) coverOf(it *item) (wait bool, err error) {
	for _, cover := range it.after {
		switch {
		case s.settling[cover.key()]: // it is being read back, by another goroutine
			return true, nil
		case cover.state != decided:
			return true, nil
		case cover.err != nil:
			return false, fmt.Errorf("it is left, since what is to replace it, %s, is not known to be there: %w", cover.change.Route, api.ErrBusy)
		}
	}
	return false, nil
}

// readBeforeDelete reads the entries again and returns the items whose entry is there, is what the
// change says and is Available, with its id. Of the others an outcome is known, or they came
// too early. One table that cannot be read keeps nothing from going in the others.
func (w *Writer) readBeforeDelete(ctx context.Context, batch []*item) ([]*item, error) {
	have, err := w.Entries.ReadPlaces(ctx, keysOf(batch))
	if err != nil && (have.Empty() || stopsAll(err) && !errors.Is(err, api.ErrDenied)) {
		return batch, err
	}
	var live []*item
	for _, it := range batch {
		switch e, there, known := have.At(it.key()); {
		case !known:
			it.end(err)
		case !there:
			it.end(nil)
		case !cloud.Still(e, it.change.Route):
			it.end(inTheWay(e))
		case e.State != api.RouteAvailable || e.ID == "":
			it.postpone(fmt.Errorf("the entry is %s: %w", e.State, api.ErrBusy))
		default:
			it.entry = e.ID
			live = append(live, it)
		}
	}
	return live, nil
}
