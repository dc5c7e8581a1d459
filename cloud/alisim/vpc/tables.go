package vpc

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/world"
)

func describeRouteTableList(w *world.World, c *call.Call) (call.Reply, error) {
	var found []*world.Table
	for _, t := range w.AllTables() {
		if c.Matches("VpcId", t.VPC.ID) && c.Matches("RouterId", t.VPC.VRouter) && c.Matches("RouterType", "VRouter") &&
			c.Matches("RouteTableId", t.ID) && c.Matches("RouteTableName", t.Name) && c.Matches("RouteTableType", t.Kind()) &&
			c.HasTags(t.Tags) && c.AreBlank("ResourceGroupId") {
			found = append(found, t)
		}
	}
	page, n, err := call.NumberedPage(c, found, call.LargestPage)
	if err != nil {
		return nil, err
	}
	out := &routeTableList{Numbered: n, Code: "200", Message: "successful", Success: true}
	out.RouterTableList.RouterTableListType = world.Mapped(page, func(t *world.Table) routerTable { return tableShape(w, t) })
	return out, nil
}

// describeRouteTables is the old action that Terraform's alicloud_route_entry polls.
func describeRouteTables(w *world.World, c *call.Call) (call.Reply, error) {
	router := cmp.Or(c.Param("VRouterId"), c.Param("RouterId"))
	if router == "" && c.Param("RouteTableId") == "" && c.Param("RouteTableName") == "" {
		return nil, world.MissingParameter("VRouterId")
	}
	var found []*world.Table
	for _, t := range w.AllTables() {
		if (router == "" || router == t.VPC.VRouter) && c.Matches("RouteTableId", t.ID) && c.Matches("RouteTableName", t.Name) &&
			c.Matches("RouterType", "VRouter") && c.AreBlank("ResourceGroupId") {
			found = append(found, t)
		}
	}
	plain := *c // a fault's gaps are in the entries, not among the tables
	plain.Fault = fault.Fault{}
	page, n, err := call.NumberedPage(&plain, found, call.LargestPage)
	if err != nil {
		return nil, err
	}
	out := &routeTables{Numbered: n}
	out.RouteTables.RouteTable = world.Mapped(page, func(t *world.Table) legacyTable { return legacyShape(c, w, t) })
	return out, nil
}

func describeRouteEntryList(w *world.World, c *call.Call) (call.Reply, error) {
	if c.Param("RegionId") == "" {
		return nil, world.MissingParameter("RegionId") // every client sends it; of this action it is told to be required
	}
	t, err := tableFor(w, c, "InvalidRouteTable.NotFound")
	if err != nil {
		return nil, err
	}
	if t.Gateway {
		return nil, world.NewRefusal("OperationDenied.UseGatewayRouteEntryQueryInterface")
	}
	size, err := entryPage(w, c)
	if err != nil {
		return nil, err
	}
	found, err := filterEntries(t, c)
	if err != nil {
		return nil, err
	}
	page, next, err := call.TokenPage(c, found, size)
	if err != nil {
		return nil, err
	}
	out := &routeEntryList{NextToken: next}
	out.RouteEntrys.RouteEntry = world.Mapped(page, entryShape)
	return out, nil
}

// entryPage is how many entries a page has: 1 to 100 by the documents, though Alibaba's own
// cloud controller asks for 500 in production.
func entryPage(w *world.World, c *call.Call) (int, error) {
	switch w.Readings.LongPage {
	case world.Allow:
		return c.Number("MaxResult", 10, 500)
	case world.Refuse:
		return c.Number("MaxResult", 10, 100)
	default:
		size, err := c.Number("MaxResult", 10, 500)
		return min(size, 100), err
	}
}

func filterEntries(t *world.Table, c *call.Call) ([]*world.Entry, error) {
	kind := c.Param("RouteEntryType")
	switch strings.ToUpper(kind) {
	case "", "CUSTOM", "SYSTEM", "BGP", "CEN", "ECR":
	default:
		return nil, world.IllegalParameter("RouteEntryType")
	}
	if !strings.EqualFold(kind, "Custom") && (c.Param("RouteEntryId") != "" || c.Param("RouteEntryName") != "") {
		return nil, world.NewRefusal("OperationFailed.FilterParamUnderWrongRouteType")
	}
	if v := c.Param("IpVersion"); v != "" && !strings.EqualFold(v, "IPv4") && !strings.EqualFold(v, "IPv6") {
		return nil, world.IllegalParameter("IpVersion")
	}
	if c.Param("ServiceType") != "" {
		return nil, nil // routes that another service learnt, of which there are none here
	}
	destinations := world.Mapped(c.Scalars("DestCidrBlockList"), world.CanonicalDestination)
	if len(destinations) > 20 {
		return nil, world.IllegalParameter("DestCidrBlockList")
	}
	var found []*world.Entry
	for _, e := range t.Entries {
		destination := e.Destination.String()
		if c.Matches("RouteEntryType", e.Kind()) && c.Matches("RouteEntryId", e.ID) && c.Matches("RouteEntryName", e.Name) &&
			c.Matches("NextHopId", e.NextHop) && c.Matches("NextHopType", e.NextHopType) && c.Matches("IpVersion", e.Family()) &&
			(c.Param("DestinationCidrBlock") == "" || world.CanonicalDestination(c.Param("DestinationCidrBlock")) == destination) &&
			(len(destinations) == 0 || slices.Contains(destinations, destination)) {
			found = append(found, e)
		}
	}
	return found, nil
}

func getVpcRouteEntrySummary(w *world.World, c *call.Call) (call.Reply, error) {
	for _, name := range [...]string{"VpcId", "RouteEntryType"} {
		if c.Param(name) == "" {
			return nil, world.MissingParameter(name)
		}
	}
	out := &routeEntrySummary{RouteEntrySummarys: []tableSummary{}}
	for _, t := range w.AllTables() {
		if !c.Matches("VpcId", t.VPC.ID) || !c.Matches("RouteTableId", t.ID) {
			continue
		}
		sum := tableSummary{t.ID, []typeCount{}}
		for _, n := range [...]typeCount{{"Custom", t.CustomCount()}, {"System", len(t.Entries) - t.CustomCount()}} {
			if c.Matches("RouteEntryType", n.RouteEntryType) {
				sum.EntrySummarys = append(sum.EntrySummarys, n)
			}
		}
		out.RouteEntrySummarys = append(out.RouteEntrySummarys, sum)
	}
	return out, nil
}

// tableFor is the table that RouteTableId names.
func tableFor(w *world.World, c *call.Call, unknown string) (*world.Table, error) {
	id := c.Param("RouteTableId")
	if id == "" {
		return nil, world.MissingParameter("RouteTableId")
	}
	t := w.Table(id)
	if t == nil {
		return nil, world.NewRefusal(unknown)
	}
	return t, nil
}

type publishedEntries struct {
	call.Body
	NextToken    string           `json:"NextToken"`
	RouteEntries []publishedEntry `json:"RouteEntries"`
}

type publishedEntry struct {
	RouteEntryID         string          `json:"RouteEntryId"`
	RouteTableID         string          `json:"RouteTableId"`
	DestinationCidrBlock string          `json:"DestinationCidrBlock"`
	RoutePublishTargets  []publishTarget `json:"RoutePublishTargets"`
}

// publishTarget is a router outside of the VPC that is told of an entry. There is none here.
type publishTarget struct {
	PublishStatus           string `json:"PublishStatus"`
	PublishTargetType       string `json:"PublishTargetType"`
	PublishTargetInstanceID string `json:"PublishTargetInstanceId"`
}

// listVpcPublishedRouteEntries tells of each entry that it is published nowhere. Terraform's
// alicloud_vpc_route_entry asks whenever it reads an entry.
func listVpcPublishedRouteEntries(w *world.World, c *call.Call) (call.Reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	size, err := c.Number("MaxResults", 50, 500)
	if err != nil {
		return nil, err
	}
	var found []*world.Entry
	for _, e := range t.Entries {
		if !e.System && c.Matches("DestinationCidrBlock", e.Destination.String()) {
			found = append(found, e)
		}
	}
	page, next, err := call.TokenPage(c, found, size)
	if err != nil {
		return nil, err
	}
	return &publishedEntries{NextToken: next, RouteEntries: world.Mapped(page, func(e *world.Entry) publishedEntry {
		return publishedEntry{e.ID, t.ID, e.Destination.String(), []publishTarget{}}
	})}, nil
}
