package alicloud

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
)

const (
	entryPage   = 100 // the most that DescribeRouteEntryList gives
	filterLimit = 20  // destinations that DestCidrBlockList takes
)

// Routes implements cloud.Tables.
func (p *Provider) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	routes, err := p.entries(ctx, table, nil)
	if err != nil {
		return nil, fmt.Errorf("list routes of %s: %w", table, err)
	}
	return routes, nil
}

// entries lists the custom entries of a table, sorted: those of at most filterLimit
// destinations in one call, or all, page by page, where none are named.
func (p *Provider) entries(ctx context.Context, table api.TableID, only []netip.Prefix) ([]api.Route, error) {
	routes, _, err := p.listing(ctx, table, only)
	return routes, err
}

// listing is entries, and reports whether they came on one page. What is missing from several
// may be there: an entry that goes meanwhile moves others to a page that was read.
func (p *Provider) listing(ctx context.Context, table api.TableID, only []netip.Prefix) (routes []api.Route, single bool, err error) {
	if table == "" {
		return nil, false, fmt.Errorf("no table: %w", api.ErrInvalid)
	}
	var filter []string
	for _, destination := range only {
		filter = append(filter, destination.String())
	}
	seen := map[string]bool{}
	pages, err := p.list(ctx, table, "Custom", filter, func(e vpc.RouteEntry) error {
		// The list is no snapshot: an entry may move to a page that is still to come.
		if !belongs(e) || seen[e.RouteEntryId] {
			return nil
		}
		seen[e.RouteEntryId] = true
		r, err := fromEntry(p.seal, table, e)
		if err == nil {
			routes = append(routes, r)
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(only) == 0 {
		p.learned.counted(table, len(routes))
	}
	slices.SortFunc(routes, api.CompareRoutes)
	return routes, pages <= 1, nil
}

// sight is what was read of some places. A table that could not be read, or a part of it,
// is not among those that were.
type sight struct {
	routes map[api.RouteKey]api.Route
	read   map[api.RouteKey]bool
}

// at returns the entry of a place. known is false when the place was not read.
func (s sight) at(key api.RouteKey) (r api.Route, there, known bool) {
	r, there = s.routes[key]
	return r, there, s.read[key]
}

// look reads these places, table by table and at the same time: those of a table by their
// destinations, or by listing it whole where that takes fewer calls and one page, which
// else proves nothing missing. What could be read is returned also with an error.
func (p *Provider) look(ctx context.Context, places []api.RouteKey) (sight, error) {
	found := sight{map[api.RouteKey]api.Route{}, map[api.RouteKey]bool{}}
	var mu sync.Mutex // guards found and errs
	var errs []error
	var group sync.WaitGroup
	for _, q := range p.questions(places) {
		group.Go(func() {
			routes, err := p.answer(ctx, q)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("list routes of %s: %w", q.table, err))
				return
			}
			for _, key := range q.places {
				found.read[key] = true
			}
			for _, r := range routes {
				found.routes[r.Key()] = r
			}
		})
	}
	group.Wait()
	return found, errors.Join(errs...)
}

// question is one listing: of the destinations of some places, or of the whole table.
type question struct {
	table  api.TableID
	only   []netip.Prefix
	places []api.RouteKey
}

// answer asks once more for what is missing from a table that turned out to have several pages.
func (p *Provider) answer(ctx context.Context, q question) ([]api.Route, error) {
	routes, single, err := p.listing(ctx, q.table, q.only)
	if err != nil || single || len(q.only) > 0 {
		return routes, err
	}
	missing := slices.DeleteFunc(slices.Clone(q.places), func(key api.RouteKey) bool {
		return slices.ContainsFunc(routes, func(r api.Route) bool { return r.Key() == key })
	})
	for _, again := range filtered(q.table, missing) {
		more, err := p.entries(ctx, q.table, again.only)
		if err != nil {
			return nil, err
		}
		routes = append(routes, more...)
	}
	return routes, nil
}

func (p *Provider) questions(places []api.RouteKey) []question {
	byTable := map[api.TableID][]api.RouteKey{}
	for _, key := range places {
		byTable[key.Table] = append(byTable[key.Table], key)
	}
	var all []question
	for table, keys := range byTable {
		n, counted := p.learned.count(table)
		if counted && n <= entryPage && len(keys) > filterLimit {
			all = append(all, question{table: table, places: keys})
			continue
		}
		all = append(all, filtered(table, keys)...)
	}
	return all
}

// filtered are the questions for some places of a table by their destinations.
func filtered(table api.TableID, keys []api.RouteKey) []question {
	var all []question
	for chunk := range slices.Chunk(keys, filterLimit) {
		q := question{table: table, places: chunk}
		for _, key := range chunk {
			q.only = append(q.only, key.Destination)
		}
		all = append(all, q)
	}
	return all
}

// list reads the entries of a type, or of all types, page by page, and counts these.
func (p *Provider) list(ctx context.Context, table api.TableID, kind string, filter []string, each func(vpc.RouteEntry) error) (pages int, err error) {
	err = byToken(func(token string) (string, error) {
		pages++
		req, resp := vpc.CreateDescribeRouteEntryListRequest(), vpc.CreateDescribeRouteEntryListResponse()
		req.RouteTableId, req.RouteEntryType = string(table), kind
		req.MaxResult, req.NextToken = requests.NewInteger(entryPage), token
		if len(filter) > 0 {
			req.DestCidrBlockList = &filter
		}
		if err := p.client.do(ctx, call{about: string(table), list: "RouteEntrys", req: req, resp: resp}); err != nil {
			return "", err
		}
		for _, e := range resp.RouteEntrys.RouteEntry {
			if err := each(e); err != nil {
				return "", err
			}
		}
		return resp.NextToken, nil
	})
	return pages, err
}

// occupant looks for an entry of any type at a destination, after the cloud said that the
// destination is taken and no custom entry was there: each vSwitch has a system entry,
// and learnt routes (CEN, BGP) are entries too. It returns what a create there meets.
func (p *Provider) occupant(ctx context.Context, table api.TableID, destination netip.Prefix) error {
	met := api.ErrBusy // it has gone meanwhile
	_, err := p.list(ctx, table, "", []string{destination.String()}, func(e vpc.RouteEntry) error {
		if at, err := parsePrefix(e.DestinationCidrBlock); err != nil || at != destination {
			return nil // a prefix list, or the filter did not hold
		}
		met = fmt.Errorf("an entry of type %s is there: %w", e.Type, api.ErrRefused)
		if strings.EqualFold(e.Type, "System") {
			met = fmt.Errorf("a system entry is there, that of a vSwitch or of the cloud itself: %w", api.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return met
}

// belongs leaves out what is not a custom entry of ranges: entries of other types, should
// the filter not hold, and those whose destination is a prefix list.
func belongs(e vpc.RouteEntry) bool {
	return (e.Type == "" || strings.EqualFold(e.Type, "Custom")) && !strings.HasPrefix(e.DestinationCidrBlock, "pl-")
}

// fromEntry reads one entry. Only one that sends to a single instance can carry our mark.
func fromEntry(seal api.Seal, table api.TableID, e vpc.RouteEntry) (api.Route, error) {
	destination, err := parsePrefix(e.DestinationCidrBlock)
	if err != nil {
		return api.Route{}, fmt.Errorf("entry %s: %w", e.RouteEntryId, err)
	}
	r := api.Route{Table: table, Destination: destination, State: api.RouteState(e.Status), ID: e.RouteEntryId}
	var ids []string
	for _, hop := range e.NextHops.NextHop {
		ids = append(ids, hop.NextHopId)
		r.HopType = api.HopType(hop.NextHopType)
	}
	r.NextHop = strings.Join(ids, ",")
	for _, ours := range []api.HopType{api.HopInstance, api.HopInterface} {
		// The API's answers vary in capitals.
		if len(ids) == 1 && strings.EqualFold(string(r.HopType), string(ours)) {
			r.HopType = ours
			return seal.Open(r, e.RouteEntryName, e.Description), nil
		}
	}
	return r, nil
}
