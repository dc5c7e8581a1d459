package write

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

// replace changes next hop and mark of one entry in place, if it still is what the change
// says it was. Where the cloud does not let entries be modified it is replaced by others.
func (s *sender) replace(ctx context.Context, it *item) (live []*item, err error) {
	live = []*item{it}
	have, err := s.Entries.ReadPlaces(ctx, keysOf(live))
	if err != nil {
		return live, err
	}
	want, was := it.change.Route, *it.change.Was
	e, there, _ := have.At(it.key())
	switch {
	case there && cloud.Done(e, want) && e.State == api.RouteAvailable:
		it.end(nil)
		return nil, nil
	case !there:
		it.end(fmt.Errorf("the entry is no longer there: %w", api.ErrRefused))
		return nil, nil
	case !cloud.Still(e, was) && !cloud.Same(e, want):
		it.end(inTheWay(e))
		return nil, nil
	case e.State != api.RouteAvailable:
		it.postpone(fmt.Errorf("the entry is %s: %w", e.State, api.ErrBusy))
		return nil, nil
	}
	err = errUnmodifiable
	if s.learned.mayModify(want.Table) {
		err = s.modify(ctx, e, want)
	}
	if f := call.FailureOf(err); !errors.Is(err, errUnmodifiable) && !f.NoSuchAction() {
		return live, err
	}
	if e.SameTarget(want) {
		it.end(err) // to take over a mark no traffic is put at risk
		return nil, nil
	}
	if call.FailureOf(err).Forbidden() && s.learned.denyModify(want.Table) {
		s.Log.WarnContext(ctx, "no permission to modify entries, moving them by others", api.KeyError, err)
	}
	if err = (&mover{requests{s.Writer, s.permit.Finishing()}}).move(ctx, e, want); stopsAll(err) {
		s.stop = cmp.Or(s.stop, causeOf(err))
	}
	it.end(err)
	return nil, nil
}

// errUnmodifiable stands for the answer that a former replace got.
var errUnmodifiable = fmt.Errorf("entries may not be modified: %w", api.ErrDenied)

// modify sends what differs: an unchanged next hop would be refused.
func (r requests) modify(ctx context.Context, e, want api.Route) error {
	req, resp := vpc.CreateModifyRouteEntryRequest(), vpc.CreateModifyRouteEntryResponse()
	req.RouteEntryId, req.RouteEntryName, req.Description = e.ID, want.Mark.Name(), r.Seal.Description(want)
	if !e.SameTarget(want) {
		req.NewNextHopId, req.NewNextHopType = want.NextHop, hopType(want)
	}
	return r.send(ctx, routeText(want), req, resp)
}
