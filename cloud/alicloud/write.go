package alicloud

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// send makes the call for a batch. live are the items that it is about, and err is its
// answer for them; the others have their outcome, or came too early.
func (r *series) send(ctx context.Context, batch []*item) (live []*item, err error) {
	first := batch[0]
	switch first.change.Verb {
	case api.Create:
		return batch, r.create(ctx, batch, r.permit)
	case api.Delete:
		live, err = r.removable(ctx, batch)
		if err != nil || len(live) == 0 {
			return live, err
		}
		if first.alone || r.learned.alone(api.Delete) {
			return live, r.sendDelete(ctx, live[0], r.permit)
		}
		return live, r.sendDeletes(ctx, live, r.permit)
	default:
		return r.replace(ctx, first)
	}
}

// create makes the call for creates, the single one for an item that is asked for alone or
// where the batch action is not permitted.
func (p *Provider) create(ctx context.Context, items []*item, permit cloud.Permit) error {
	if items[0].alone || p.learned.alone(api.Create) {
		return p.sendCreate(ctx, items[0], permit)
	}
	return p.sendCreates(ctx, items, permit)
}

// sendCreates makes the batch call. Its items travel as form parameters, which the
// signature covers as well: 50 marked entries make a request line of 17 KB, and the
// gateway refuses long ones.
func (p *Provider) sendCreates(ctx context.Context, items []*item, permit cloud.Permit) error {
	req, resp := vpc.CreateCreateRouteEntriesRequest(), vpc.CreateCreateRouteEntriesResponse()
	form := req.GetFormParams()
	if items[0].dry {
		form["DryRun"] = "true"
	}
	for i, it := range items {
		r, prefix := it.change.Route, "RouteEntries."+strconv.Itoa(i+1)+"."
		form[prefix+"RouteTableId"] = string(r.Table)
		form[prefix+"DstCidrBlock"] = r.Destination.String()
		form[prefix+"NextHop"] = r.NextHop
		form[prefix+"NextHopType"] = hopType(r)
		form[prefix+"Name"] = r.Mark.Name()
		form[prefix+"Description"] = p.seal.Description(r)
		if r.Destination.Addr().Is6() {
			form[prefix+"IpVersion"] = "6"
		}
	}
	if err := p.write(ctx, entries(items), req, resp, permit); err != nil {
		return err
	}
	failed := map[[2]string][]string{} // codes of each destination and next hop
	for _, f := range resp.FailedRouteEntries {
		pair := [2]string{f.DstCidrBlock, f.NextHop}
		failed[pair] = append(failed[pair], f.FailedCode)
	}
	refuseCreates(items, failed)
	suspect(items, len(resp.FailedRouteEntries), resp.FailedCount)
	return nil
}

func (p *Provider) sendDeletes(ctx context.Context, items []*item, permit cloud.Permit) error {
	req, resp := vpc.CreateDeleteRouteEntriesRequest(), vpc.CreateDeleteRouteEntriesResponse()
	form := req.GetFormParams()
	for i, it := range items {
		prefix := "RouteEntries." + strconv.Itoa(i+1) + "."
		form[prefix+"RouteTableId"] = string(it.change.Route.Table)
		form[prefix+"RouteEntryId"] = it.entry
	}
	if err := p.write(ctx, entries(items), req, resp, permit); err != nil {
		return err
	}
	for _, f := range resp.FailedRouteEntries {
		for _, it := range items {
			r := it.change.Route
			if it.entry == f.RouteEntryId || f.RouteEntryId == "" && r.Destination.String() == f.DstCidrBlock {
				it.refuse(f.FailedCode)
			}
		}
	}
	suspect(items, len(resp.FailedRouteEntries), resp.FailedCount)
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
				it.doubt()
			}
		}
	}
}

// doubt has an item asked for alone, should it show that it was not made: that it is the one
// that failed is not certain, and a look may lag.
func (it *item) doubt() {
	if f := judged(it.failure); !errors.Is(f, api.ErrBusy) {
		f.verdict = verdict{class: refused, kind: api.ErrBusy}
		it.alone, it.most = true, 1
	}
}

// refuse notes that the cloud may have failed this item of a batch: it names failures
// without their tables. Which codes there are is hardly documented; one that is not known
// is asked for by the single call, whose codes are.
func (it *item) refuse(code string) {
	v, known := verdictOfCode(code)
	if !known {
		v = verdict{class: refused, kind: api.ErrBusy}
		it.alone, it.most = true, 1
	}
	it.failure = &failure{verdict: v, text: plainCode(code)}
}

// suspect has items asked for alone, should they show that they were not made, when a batch
// counts more failures than it lists.
func suspect(items []*item, listed, counted int) {
	if counted <= listed {
		return
	}
	for _, it := range items {
		if it.failure == nil {
			it.refuse("failed, and not listed")
		}
	}
}

// sendCreate asks for one entry by the call whose codes are documented. An attempt carries
// the token of the former one: should that still come true, there is one entry.
func (p *Provider) sendCreate(ctx context.Context, it *item, permit cloud.Permit) error {
	r := it.change.Route
	if it.token == "" {
		it.token = rand.Text()
	}
	req, resp := vpc.CreateCreateRouteEntryRequest(), vpc.CreateCreateRouteEntryResponse()
	req.RouteTableId, req.DestinationCidrBlock = string(r.Table), r.Destination.String()
	req.NextHopId, req.NextHopType = r.NextHop, hopType(r)
	req.RouteEntryName, req.Description = r.Mark.Name(), p.seal.Description(r)
	req.ClientToken = it.token
	if it.dry {
		req.GetQueryParams()["DryRun"] = "true"
	}
	return p.write(ctx, place(r), req, resp, permit)
}

func (p *Provider) sendDelete(ctx context.Context, it *item, permit cloud.Permit) error {
	req, resp := vpc.CreateDeleteRouteEntryRequest(), vpc.CreateDeleteRouteEntryResponse()
	req.RouteEntryId = it.entry
	return p.write(ctx, place(it.change.Route), req, resp, permit)
}

func (p *Provider) write(ctx context.Context, about string, req requests.AcsRequest, resp responses.AcsResponse, permit cloud.Permit) error {
	return p.client.do(ctx, call{about: about, req: req, resp: resp, permit: permit})
}

// removable reads the entries again and returns the items whose entry is there, is what the
// change says and is Available, with its id. Of the others an outcome is known, or they came
// too early. One table that cannot be read keeps nothing from going in the others.
func (p *Provider) removable(ctx context.Context, batch []*item) ([]*item, error) {
	have, err := p.look(ctx, places(batch))
	if err != nil && (len(have.read) == 0 || stops(err) && !errors.Is(err, api.ErrDenied)) {
		return batch, err
	}
	var live []*item
	for _, it := range batch {
		switch e, there, known := have.at(it.key()); {
		case !known:
			it.end(err)
		case !there:
			it.end(nil)
		case !cloud.Still(e, it.change.Route):
			it.end(inTheWay(e))
		case e.State != api.RouteAvailable || e.ID == "":
			it.again(fmt.Errorf("the entry is %s: %w", e.State, api.ErrBusy))
		default:
			it.entry = e.ID
			live = append(live, it)
		}
	}
	return live, nil
}

// entries names what a batch is about.
func entries(items []*item) string {
	in := map[api.TableID]bool{}
	for _, it := range items {
		in[it.key().Table] = true
	}
	switch {
	case len(items) == 1:
		return place(items[0].change.Route)
	case len(in) == 1:
		return fmt.Sprintf("%d entries in %s", len(items), items[0].key().Table)
	default:
		return fmt.Sprintf("%d entries in %d tables", len(items), len(in))
	}
}

func hopType(r api.Route) string {
	if r.HopType == "" {
		return string(api.HopInstance)
	}
	return string(r.HopType)
}

func place(r api.Route) string { return fmt.Sprintf("%s in %s", r.Destination, r.Table) }

func places(items []*item) []api.RouteKey {
	keys := make([]api.RouteKey, len(items))
	for i, it := range items {
		keys[i] = it.key()
	}
	return keys
}
