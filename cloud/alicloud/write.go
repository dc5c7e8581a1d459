package alicloud

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// create sends creates of one table in one call and settles them. A call that is refused
// as a whole for what one entry may have caused is halved until that entry is alone.
func (p *Provider) create(ctx context.Context, table api.TableID, items []*item) (stop error) {
	err := p.sendCreates(ctx, table, items)
	if len(items) > 1 && blamesOne(err) {
		return p.halve(ctx, table, items)
	}
	if errors.Is(err, api.ErrRefused) {
		items[0].failure, err = err, nil
	}
	settle, stop := answered(items, err)
	if settle {
		stop = p.settle(ctx, table, items)
	}
	for _, it := range open(items) {
		switch {
		case stop != nil:
		case it.vague:
			stop = p.createAlone(ctx, table, it)
		case it.hidden:
			stop = p.lookCloser(ctx, table, it)
		}
	}
	return stop
}

func blamesOne(err error) bool {
	return errors.Is(err, api.ErrInvalid) || errors.Is(err, api.ErrNotFound) ||
		errors.Is(err, api.ErrQuota) || errors.Is(err, api.ErrRefused)
}

// halve creates the first half, then the second unless the table is full by then.
func (p *Provider) halve(ctx context.Context, table api.TableID, items []*item) (stop error) {
	half := len(items) / 2
	if stop = p.create(ctx, table, items[:half]); stop != nil {
		return stop
	}
	full := slices.IndexFunc(items[:half], func(it *item) bool { return errors.Is(it.err, api.ErrQuota) })
	if full >= 0 {
		endAll(items[half:], items[full].err)
		return nil
	}
	return p.create(ctx, table, items[half:])
}

// sendCreates makes the batch call. Its items travel as form parameters, which the
// signature covers as well: 50 marked entries make a request line of 17 KB, and the
// gateway refuses long ones.
func (p *Provider) sendCreates(ctx context.Context, table api.TableID, items []*item) error {
	req, resp := vpc.CreateCreateRouteEntriesRequest(), vpc.CreateCreateRouteEntriesResponse()
	form := req.GetFormParams()
	for i, it := range items {
		r, prefix := it.change.Route, "RouteEntries."+strconv.Itoa(i+1)+"."
		form[prefix+"RouteTableId"] = string(table)
		form[prefix+"DstCidrBlock"] = r.Destination.String()
		form[prefix+"NextHop"] = r.NextHop
		form[prefix+"NextHopType"] = hopType(r)
		form[prefix+"Name"] = r.Mark.Name()
		form[prefix+"Description"] = p.seal.Description(r)
		it.failure, it.vague, it.hidden = nil, false, false
	}
	about := fmt.Sprintf("%d entries in %s", len(items), table)
	err := p.client.do(ctx, call{about: about, req: req, resp: resp})
	if err != nil {
		return err
	}
	for _, f := range resp.FailedRouteEntries {
		for _, it := range items {
			if it.change.Route.Destination.String() == f.DstCidrBlock && it.change.Route.NextHop == f.NextHop {
				it.refuse(f)
			}
		}
	}
	return nil
}

// hopType is the kind of next hop that the cloud is told.
func hopType(r api.Route) string { return string(cmp.Or(r.HopType, api.HopInstance)) }

// refuse notes that the cloud failed this item of a batch. Which codes there are is not
// documented, but for duplicates.
func (it *item) refuse(f vpc.FailedRouteEntriesItem) {
	kind := kindOfCode(f.FailedCode)
	if it.vague = kind == nil; it.vague {
		kind = api.ErrBusy
	}
	it.failure = fmt.Errorf("%s: %w", plainCode(f.FailedCode), kind)
}

// createAlone asks for one entry by the call whose codes are documented.
func (p *Provider) createAlone(ctx context.Context, table api.TableID, it *item) (stop error) {
	r := it.change.Route
	req, resp := vpc.CreateCreateRouteEntryRequest(), vpc.CreateCreateRouteEntryResponse()
	req.RouteTableId, req.DestinationCidrBlock = string(table), r.Destination.String()
	req.NextHopId, req.NextHopType = r.NextHop, hopType(r)
	req.RouteEntryName, req.Description = r.Mark.Name(), p.seal.Description(r)
	req.ClientToken = rand.Text()
	it.failure, it.vague = nil, false
	err := p.client.do(ctx, call{about: fmt.Sprintf("%s in %s", r.Destination, table), req: req, resp: resp})
	if errors.Is(err, api.ErrRefused) {
		it.failure, err = err, nil
	}
	settle, stop := answered([]*item{it}, err)
	if settle {
		stop = p.settle(ctx, table, []*item{it})
	}
	if it.hidden && stop == nil {
		stop = p.lookCloser(ctx, table, it)
	}
	return stop
}

// lookCloser finds out what a refused create met that is not among the custom entries.
func (p *Provider) lookCloser(ctx context.Context, table api.TableID, it *item) (stop error) {
	_, stop = answered([]*item{it}, p.occupant(ctx, table, it.change.Route.Destination))
	return stop
}

// replace changes next hop and mark of one entry in place, if it still is what the change
// says it was.
func (p *Provider) replace(ctx context.Context, table api.TableID, items []*item) (stop error) {
	it := items[0]
	r := it.change.Route
	have, err := p.entries(ctx, table, destinations(items))
	if err != nil {
		_, stop = answered(items, err)
		return stop
	}
	i := slices.IndexFunc(have, func(o api.Route) bool { return o.Key() == r.Key() })
	switch {
	case i < 0:
		it.end(fmt.Errorf("the entry is no longer there: %w", api.ErrRefused))
		return nil
	case cloud.Same(have[i], r):
		return p.settle(ctx, table, items)
	case !cloud.Same(have[i], *it.change.Was):
		it.end(taken(have[i]))
		return nil
	case have[i].State != api.RouteAvailable:
		it.busy(fmt.Errorf("the entry is %s: %w", have[i].State, api.ErrBusy))
		return nil
	}
	req, resp := vpc.CreateModifyRouteEntryRequest(), vpc.CreateModifyRouteEntryResponse()
	req.RouteEntryId, req.RouteEntryName, req.Description = have[i].ID, r.Mark.Name(), p.seal.Description(r)
	if !have[i].SameTarget(r) { // an unchanged next hop is refused
		req.NewNextHopId, req.NewNextHopType = r.NextHop, hopType(r)
	}
	err = p.client.do(ctx, call{about: fmt.Sprintf("%s in %s", r.Destination, table), req: req, resp: resp})
	settle, stop := answered(items, err)
	if settle {
		stop = p.settle(ctx, table, items)
	}
	return stop
}

// delete removes entries of one table by their ids, those that still are what the change
// says.
func (p *Provider) delete(ctx context.Context, table api.TableID, items []*item) (stop error) {
	have, err := p.entries(ctx, table, destinations(items))
	if err != nil {
		_, stop = answered(items, err)
		return stop
	}
	var send []*item
	for _, it := range items {
		if it.removable(have) {
			send = append(send, it)
		}
	}
	if len(send) == 0 {
		return nil
	}
	err = p.sendDeletes(ctx, table, send)
	if errors.Is(err, api.ErrNotFound) {
		// One of them went meanwhile, and the others may be untouched.
		err = fmt.Errorf("%w: %w", api.ErrBusy, err)
	}
	settle, stop := answered(send, err)
	if settle {
		stop = p.settle(ctx, table, send)
	}
	return stop
}

// removable reports whether the entry is there, ours to remove and Available, and takes
// its id. Otherwise the item has its outcome or is busy.
func (it *item) removable(have []api.Route) bool {
	i := slices.IndexFunc(have, func(r api.Route) bool { return r.Key() == it.change.Route.Key() })
	switch {
	case i < 0:
		it.end(nil)
	case !cloud.Same(have[i], it.change.Route):
		it.end(taken(have[i]))
	case have[i].State != api.RouteAvailable || have[i].ID == "":
		it.busy(fmt.Errorf("the entry is %s: %w", have[i].State, api.ErrBusy))
	default:
		it.entry, it.failure = have[i].ID, nil
		return true
	}
	return false
}

func (p *Provider) sendDeletes(ctx context.Context, table api.TableID, items []*item) error {
	req, resp := vpc.CreateDeleteRouteEntriesRequest(), vpc.CreateDeleteRouteEntriesResponse()
	form := req.GetFormParams()
	for i, it := range items {
		prefix := "RouteEntries." + strconv.Itoa(i+1) + "."
		form[prefix+"RouteTableId"] = string(table)
		form[prefix+"RouteEntryId"] = it.entry
	}
	about := fmt.Sprintf("%d entries in %s", len(items), table)
	if err := p.client.do(ctx, call{about: about, req: req, resp: resp}); err != nil {
		return err
	}
	for _, f := range resp.FailedRouteEntries {
		for _, it := range items {
			if it.entry == f.RouteEntryId {
				it.refuse(f)
			}
		}
	}
	return nil
}
