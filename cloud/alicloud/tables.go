package alicloud

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/api"
)

// scope is a verb in a table: what a RAM policy may deny.
type scope struct {
	verb  api.Verb
	table api.TableID
}

// errOfTable marks the error of what is not sent in one table, while other tables go on.
var errOfTable = errors.New("nothing of this kind is sent to the table")

// shutOut is why a change is not sent at all: its table refused another of this kind.
func (r *series) shutOut(it *item) error {
	s := scope{it.change.Verb, it.key().Table}
	if err := r.shut[s]; err != nil {
		return err
	}
	return r.learned.denied(s)
}

// ofTable deals with an answer that is about a table, or may be: a denial does not say whether
// it is the action or the table that the policy lacks. So after a batch over several tables
// each is asked for by itself, after a batch in one the entries by themselves; and a table
// where these are denied too is left alone, by itself.
func (r *series) ofTable(ctx context.Context, live []*item, f *failure, err error) bool {
	denied, first := f.code == forbidden, live[0]
	if !f.write || !denied && !f.table {
		return false
	}
	s := scope{first.change.Verb, first.key().Table}
	single := r.learned.alone(s.verb)
	switch {
	case slices.ContainsFunc(live, func(it *item) bool { return it.key().Table != s.table }):
		r.apart = true
	case denied && !single && !first.alone && s.verb != api.Replace:
		r.learned.forbid(s.verb)
		r.doubt = err
	case denied && !single: // of the single action, which is asked for now and then
		endAll(live, fmt.Errorf("%w: %w", errOfTable, err))
	default:
		r.shutTable(ctx, s, err, denied)
		endAll(live, r.shut[s])
	}
	return true
}

func (r *series) shutTable(ctx context.Context, s scope, err error, denied bool) {
	if r.shut == nil {
		r.shut = map[scope]error{}
	}
	r.shut[s] = fmt.Errorf("%w: %w", errOfTable, err)
	if !denied {
		return
	}
	r.learned.deny(s, r.shut[s])
	if r.doubt != nil {
		r.learned.allow(s.verb)
		r.doubt = nil
	}
	r.log.WarnContext(ctx, "no permission for a table, leaving it alone for a while", api.KeyTable, s.table, api.KeyError, err)
}

// allowed is told that a call for changes of a verb went well. If batches of it were denied
// before, it was for the action.
func (r *series) allowed(ctx context.Context, verb api.Verb) {
	if r.doubt != nil && r.learned.alone(verb) {
		r.log.WarnContext(ctx, "no permission for changes in batches, making them one by one", api.KeyError, r.doubt)
		r.doubt = nil
	}
}
