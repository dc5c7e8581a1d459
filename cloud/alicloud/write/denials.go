package write

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

// errOfTable marks the error of what is not sent in one table, while other tables go on.
var errOfTable = errors.New("nothing of this kind is sent to the table")

// denialOf is why a change is not sent at all: its table refused another of this kind.
func (s *sender) denialOf(it *item) error {
	of := scope{it.change.Verb, it.key().Table}
	if err := s.closed[of]; err != nil {
		return err
	}
	return s.learned.denialOf(of)
}

// handleTableAnswer deals with an answer that is about a table, or may be: a denial does not say
// whether it is the action or the table that the policy lacks. So after a batch over several
// tables each is asked for by itself, after a batch in one the entries by themselves; and a table
// where these are denied too is left alone, by itself.
func (s *sender) handleTableAnswer(ctx context.Context, live []*item, f *call.Failure, err error) bool {
	denied, first := f.Forbidden(), live[0]
	if !f.Write || !denied && !f.OfTable {
		return false
	}
	of := scope{first.change.Verb, first.key().Table}
	single := s.learned.oneByOne(of.verb)
	switch {
	case slices.ContainsFunc(live, func(it *item) bool { return it.key().Table != of.table }):
		s.perTable = true
	case denied && !single && !first.alone && of.verb != api.Replace:
		s.learned.denyBatches(of.verb)
		s.batchDenial = err
	case denied && !single: // of the single action, which is asked for from time to time
		endAll(live, fmt.Errorf("%w: %w", errOfTable, err))
	default:
		s.closeTable(ctx, of, err, denied)
		endAll(live, s.closed[of])
	}
	return true
}

// closeTable keeps changes of a verb from being sent to a table any more; a denial is remembered.
func (s *sender) closeTable(ctx context.Context, of scope, err error, denied bool) {
	s.closed[of] = fmt.Errorf("%w: %w", errOfTable, err)
	if !denied {
		return
	}
	s.learned.deny(of, s.closed[of])
	if s.batchDenial != nil {
		s.learned.allowBatches(of.verb)
		s.batchDenial = nil
	}
	s.Log.WarnContext(ctx, "no permission for a table, leaving it alone for a while", api.KeyTable, of.table, api.KeyError, err)
}

// noteAllowed is told that a call for changes of a verb went well. If batches of it were denied
// before, it was for the action.
func (s *sender) noteAllowed(ctx context.Context, verb api.Verb) {
	if s.batchDenial != nil && s.learned.oneByOne(verb) {
		s.Log.WarnContext(ctx, "no permission for changes in batches, making them one by one", api.KeyError, s.batchDenial)
		s.batchDenial = nil
	}
}
