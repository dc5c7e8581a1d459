// Package entries reads the entries of route tables: whole tables, or the entries of some places
// in as few calls as that takes.
package entries

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

const (
	entryPage = 100 // the most that DescribeRouteEntryList gives

	// FilterLimit is how many destinations one call takes (DestCidrBlockList).
	FilterLimit = 20
)

// Reader reads the entries of one VPC. Its methods may be called from several goroutines.
type Reader struct {
	client *call.Client
	seal   api.Seal // what marks are read with

	mu     sync.Mutex // guards counts
	counts map[api.TableID]int
}

// NewReader returns a reader that has read nothing yet.
func NewReader(client *call.Client, seal api.Seal) *Reader {
	return &Reader{client: client, seal: seal, counts: map[api.TableID]int{}}
}

// List returns the custom entries of a table, sorted.
func (r *Reader) List(ctx context.Context, table api.TableID) ([]api.Route, error) {
	routes, _, err := r.listCustom(ctx, table, nil)
	return routes, err
}

// Added is told that a create was sent: only the number of entries is noted.
func (r *Reader) Added(table api.TableID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, known := r.counts[table]; known {
		r.counts[table] = n + 1
	}
}

func (r *Reader) noteCount(table api.TableID, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[table] = n
}

// onePage reports whether a table that was listed before is known to fill no more than a page.
func (r *Reader) onePage(table api.TableID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, known := r.counts[table]
	return known && n <= entryPage
}

// listCustom lists the custom entries of a table, sorted: those of at most FilterLimit
// destinations in one call, or all, page by page, where none are named. single reports whether
// they came on one page: an entry that is on none of several pages may be there all the same,
// since one that goes meanwhile moves others to a page that was read.
func (r *Reader) listCustom(ctx context.Context, table api.TableID, only []netip.Prefix) (routes []api.Route, single bool, err error) {
	if table == "" {
		return nil, false, fmt.Errorf("no table: %w", api.ErrInvalid)
	}
	var filter []string
	for _, destination := range only {
		filter = append(filter, destination.String())
	}
	seen := map[string]bool{}
	pages, err := r.eachEntry(ctx, table, "Custom", filter, func(e vpc.RouteEntry) error {
		// The list is no snapshot: an entry may move to a page that is still to come.
		if !isCustomRange(e) || seen[e.RouteEntryId] {
			return nil
		}
		seen[e.RouteEntryId] = true
		route, err := readEntry(r.seal, table, e)
		if err == nil {
			routes = append(routes, route)
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(only) == 0 {
		r.noteCount(table, len(routes))
	}
	slices.SortFunc(routes, api.CompareRoutes)
	return routes, pages <= 1, nil
}

// eachEntry reads the entries of a type, or of all types, page by page, and counts these.
func (r *Reader) eachEntry(ctx context.Context, table api.TableID, kind string, filter []string, each func(vpc.RouteEntry) error) (pages int, err error) {
	err = call.ReadByToken(func(token string) (string, error) {
		pages++
		req, resp := vpc.CreateDescribeRouteEntryListRequest(), vpc.CreateDescribeRouteEntryListResponse()
		req.RouteTableId, req.RouteEntryType = string(table), kind
		req.MaxResult, req.NextToken = requests.NewInteger(entryPage), token
		if len(filter) > 0 {
			req.DestCidrBlockList = &filter
		}
		if err := r.client.Do(ctx, call.Request{About: string(table), List: "RouteEntrys", Request: req, Response: resp}); err != nil {
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

// Occupant looks for an entry of any type at a destination, after the cloud said that the
// destination is taken and no custom entry was there: each vSwitch has a system entry,
// and learnt routes (CEN, BGP) are entries too. It returns what a create there meets.
func (r *Reader) Occupant(ctx context.Context, table api.TableID, destination netip.Prefix) error {
	met := api.ErrBusy // it has gone meanwhile
	_, err := r.eachEntry(ctx, table, "", []string{destination.String()}, func(e vpc.RouteEntry) error {
		if at, err := call.ParsePrefix(e.DestinationCidrBlock); err != nil || at != destination {
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

// isCustomRange leaves out what is not a custom entry of ranges: entries of other types, should
// the filter not hold, and those whose destination is a prefix list.
func isCustomRange(e vpc.RouteEntry) bool {
	return (e.Type == "" || strings.EqualFold(e.Type, "Custom")) && !strings.HasPrefix(e.DestinationCidrBlock, "pl-")
}

// readEntry reads one entry. Only one that sends to a single instance can carry our mark.
func readEntry(seal api.Seal, table api.TableID, e vpc.RouteEntry) (api.Route, error) {
	destination, err := call.ParsePrefix(e.DestinationCidrBlock)
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
