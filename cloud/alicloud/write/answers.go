package write

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

// handleAnswer deals with the answer to a call. It reports whether the changes may be under way.
func (s *sender) handleAnswer(ctx context.Context, live []*item, err error) bool {
	if len(live) == 0 {
		return false
	}
	verb, single := live[0].change.Verb, len(live) == 1
	f := call.FailureOf(err)
	switch {
	case err == nil:
		s.busy = 0
		s.noteAllowed(ctx, verb)
		return true
	case f.TooLong() && !single:
		s.learned.tooLong(verb, len(live))
	case f.Write && f.OfEntry && !single:
		limitBatches(live, (len(live)+1)/2)
	case f.Write && f.Class == call.Unknown:
		for _, it := range live {
			it.answer = err
		}
		if f.OfEntry {
			live[0].failure = err
		}
		return true
	case s.handleTableAnswer(ctx, live, f, err):
	case errors.Is(err, api.ErrBusy) && f.OfEntry:
		live[0].postpone(err)
	case errors.Is(err, api.ErrBusy):
		s.waitForOthers(ctx, live, err)
	default:
		endAll(live, err)
		if stopsAll(err) {
			s.stop = cmp.Or(s.stop, err)
		}
	}
	return false
}

// waitForOthers pauses, since another task of the VPC is under way: the other changes wait too.
// After so many answers of that kind in a row these changes wait no more.
func (s *sender) waitForOthers(ctx context.Context, live []*item, err error) {
	if s.busy++; s.busy >= Tries {
		endAll(live, err)
		return
	}
	for _, it := range live {
		it.err = err
	}
	select {
	case <-time.After(call.BackOff(s.Poll, s.busy)):
	case <-ctx.Done():
	}
}

// causeOf is what stops others, without the outcome of the change that met it: what was not
// sent is not unknown.
func causeOf(err error) error {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end
		}
	}
	if f, ok := errors.AsType[*call.Failure](err); ok {
		return f
	}
	return err
}

// stopsAll reports whether after this error nothing more may be sent, in any table.
func stopsAll(err error) bool { return !errors.Is(err, errOfTable) && call.Stops(err) }
