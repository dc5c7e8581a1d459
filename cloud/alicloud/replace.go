package alicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// replace changes next hop and mark of one entry in place, if it still is what the change
// says it was. Where the cloud does not let entries be modified it is replaced by others.
func (r *series) replace(ctx context.Context, it *item) (live []*item, err error) {
	live = []*item{it}
	have, err := r.look(ctx, places(live))
	if err != nil {
		return live, err
	}
	want, was := it.change.Route, *it.change.Was
	e, there, _ := have.at(it.key())
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
		it.again(fmt.Errorf("the entry is %s: %w", e.State, api.ErrBusy))
		return nil, nil
	}
	err = errUnmodifiable
	if r.learned.mayModify(want.Table) {
		err = r.modify(ctx, e, want, r.permit)
	}
	if f := judged(err); !errors.Is(err, errUnmodifiable) && !f.noSuchCall() {
		return live, err
	}
	if e.SameTarget(want) {
		it.end(err) // to take over a mark no traffic is put at risk
		return nil, nil
	}
	if judged(err).code == forbidden && r.learned.unmodifiable(want.Table) {
		r.log.WarnContext(ctx, "no permission to modify entries, moving them by others", api.KeyError, err)
	}
	if err = (&mover{r.Provider, r.permit.Finishing()}).move(ctx, e, want); stops(err) {
		r.stop = cmp.Or(r.stop, cause(err))
	}
	it.end(err)
	return nil, nil
}

// errUnmodifiable stands for the answer that a former replace got.
var errUnmodifiable = fmt.Errorf("entries may not be modified: %w", api.ErrDenied)

// noSuchCall reports whether an answer says that the action is not to be had here, whatever
// is asked of it: not what says that the next hop or the destination is not to be had.
func (f *failure) noSuchCall() bool {
	switch {
	case f.code == forbidden, f.code == "InvalidAction.NotFound", f.code == "OperationDenied":
		return true
	case slices.ContainsFunc(ofEntry, func(word string) bool { return strings.Contains(f.code, word) }):
		return false
	}
	return strings.HasPrefix(f.code, "OperationUnsupported") ||
		strings.HasPrefix(f.code, "OperationDenied.") && !errors.Is(f.kind, api.ErrRefused)
}

// ofEntry are words in codes that are about a next hop or a destination: of IPv6 entries and
// of gateways there are several (CreateRouteEntry page).
var ofEntry = []string{"NextHop", "Nexthop", "Ipv6", "Interface", "Eni", "Instance", "Cidr"} //nolint:gochecknoglobals // a constant table

// modify sends what differs: an unchanged next hop would be refused.
func (p *Provider) modify(ctx context.Context, e, want api.Route, permit cloud.Permit) error {
	req, resp := vpc.CreateModifyRouteEntryRequest(), vpc.CreateModifyRouteEntryResponse()
	req.RouteEntryId, req.RouteEntryName, req.Description = e.ID, want.Mark.Name(), p.seal.Description(want)
	if !e.SameTarget(want) {
		req.NewNextHopId, req.NewNextHopType = want.NextHop, hopType(want)
	}
	return p.write(ctx, place(want), req, resp, permit)
}
