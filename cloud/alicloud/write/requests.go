package write

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"

	sdkrequests "github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

// requests are the calls that change entries, each permitted by itself.
type requests struct {
	*Writer
	permit cloud.Permit
}

// create makes the call for creates, the single one for an item that is asked for alone or
// where the batch action is not permitted.
func (r requests) create(ctx context.Context, items []*item) error {
	if items[0].alone || r.learned.oneByOne(api.Create) {
		return r.createOne(ctx, items[0])
	}
	return r.createBatch(ctx, items)
}

// delete makes the call for deletes, as create does.
func (r requests) delete(ctx context.Context, items []*item) error {
	if items[0].alone || r.learned.oneByOne(api.Delete) {
		return r.deleteOne(ctx, items[0])
	}
	return r.deleteBatch(ctx, items)
}

// createBatch makes the batch call. Its items travel as form parameters, which the
// signature covers as well: 50 marked entries make a request line of 17 KB, and the
// gateway refuses long ones.
func (r requests) createBatch(ctx context.Context, items []*item) error {
	req, resp := vpc.CreateCreateRouteEntriesRequest(), vpc.CreateCreateRouteEntriesResponse()
	form := req.GetFormParams()
	if items[0].dry {
		form["DryRun"] = "true"
	}
	for i, it := range items {
		route, prefix := it.change.Route, "RouteEntries."+strconv.Itoa(i+1)+"."
		form[prefix+"RouteTableId"] = string(route.Table)
		form[prefix+"DstCidrBlock"] = route.Destination.String()
		form[prefix+"NextHop"] = route.NextHop
		form[prefix+"NextHopType"] = hopType(route)
		form[prefix+"Name"] = route.Mark.Name()
		form[prefix+"Description"] = r.Seal.Description(route)
		if route.Destination.Addr().Is6() {
			form[prefix+"IpVersion"] = "6"
		}
	}
	if err := r.send(ctx, batchText(items), req, resp); err != nil {
		return err
	}
	failed := map[[2]string][]string{} // codes of each destination and next hop
	for _, f := range resp.FailedRouteEntries {
		pair := [2]string{f.DstCidrBlock, f.NextHop}
		failed[pair] = append(failed[pair], f.FailedCode)
	}
	refuseCreates(items, failed)
	suspectUnlisted(items, len(resp.FailedRouteEntries), resp.FailedCount)
	return nil
}

func (r requests) deleteBatch(ctx context.Context, items []*item) error {
	req, resp := vpc.CreateDeleteRouteEntriesRequest(), vpc.CreateDeleteRouteEntriesResponse()
	form := req.GetFormParams()
	for i, it := range items {
		prefix := "RouteEntries." + strconv.Itoa(i+1) + "."
		form[prefix+"RouteTableId"] = string(it.change.Route.Table)
		form[prefix+"RouteEntryId"] = it.entry
	}
	if err := r.send(ctx, batchText(items), req, resp); err != nil {
		return err
	}
	for _, f := range resp.FailedRouteEntries {
		for _, it := range items {
			route := it.change.Route
			if it.entry == f.RouteEntryId || f.RouteEntryId == "" && route.Destination.String() == f.DstCidrBlock {
				it.refuse(f.FailedCode)
			}
		}
	}
	suspectUnlisted(items, len(resp.FailedRouteEntries), resp.FailedCount)
	return nil
}

// refuseCreates notes what the batch names as failed. It names no tables: of a destination and
// next hop in several, with fewer failures, each that is not there is asked for alone.
func refuseCreates(items []*item, failed map[[2]string][]string) {
	same := map[[2]string][]*item{}
	for _, it := range items {
		pair := [2]string{it.change.Route.Destination.String(), it.change.Route.NextHop}
		same[pair] = append(same[pair], it)
	}
	for pair, codes := range failed {
		for i, it := range same[pair] {
			if it.refuse(codes[min(i, len(codes)-1)]); len(codes) < len(same[pair]) {
				it.askAlone()
			}
		}
	}
}

// askAlone has an item asked for alone, should it show that it was not made: that it is the one
// that failed is not certain, and a read may lag.
func (it *item) askAlone() {
	if f := call.FailureOf(it.failure); !errors.Is(f, api.ErrBusy) {
		f.Verdict = call.Verdict{Class: call.Refused, Kind: api.ErrBusy}
		it.alone, it.limit = true, 1
	}
}

// refuse notes that the cloud may have failed this item of a batch: it names failures
// without their tables. Which codes there are is hardly documented; one that is not known
// is asked for by the single call, whose codes are.
func (it *item) refuse(code string) {
	f, known := call.OfCode(code)
	if it.failure = f; !known {
		f.Verdict = call.Verdict{Class: call.Refused, Kind: api.ErrBusy}
		it.alone, it.limit = true, 1
	}
}

// suspectUnlisted has items asked for alone, should they show that they were not made, when a
// batch counts more failures than it lists.
func suspectUnlisted(items []*item, listed, counted int) {
	if counted <= listed {
		return
	}
	for _, it := range items {
		if it.failure == nil {
			it.refuse("failed, and not listed")
		}
	}
}

// createOne asks for one entry by the call whose codes are documented. An attempt carries
// the token of the former one: should that still come true, there is one entry.
func (r requests) createOne(ctx context.Context, it *item) error {
	route := it.change.Route
	if it.token == "" {
		it.token = rand.Text()
	}
	req, resp := vpc.CreateCreateRouteEntryRequest(), vpc.CreateCreateRouteEntryResponse()
	req.RouteTableId, req.DestinationCidrBlock = string(route.Table), route.Destination.String()
	req.NextHopId, req.NextHopType = route.NextHop, hopType(route)
	req.RouteEntryName, req.Description = route.Mark.Name(), r.Seal.Description(route)
	req.ClientToken = it.token
	if it.dry {
		req.GetQueryParams()["DryRun"] = "true"
	}
	return r.send(ctx, routeText(route), req, resp)
}

func (r requests) deleteOne(ctx context.Context, it *item) error {
	req, resp := vpc.CreateDeleteRouteEntryRequest(), vpc.CreateDeleteRouteEntryResponse()
	req.RouteEntryId = it.entry
	return r.send(ctx, routeText(it.change.Route), req, resp)
}

func (r requests) send(ctx context.Context, about string, req sdkrequests.AcsRequest, resp responses.AcsResponse) error {
	return r.Client.Do(ctx, call.Request{About: about, Request: req, Response: resp, Permit: r.permit})
}

func hopType(r api.Route) string {
	if r.HopType == "" {
		return string(api.HopInstance)
	}
	return string(r.HopType)
}
