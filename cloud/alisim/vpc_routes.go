package alisim

import (
	"cmp"
	"slices"
	"strings"
)

func describeRouteTableList(w *world, c *call) (reply, error) {
	var found []*table
	for _, t := range w.tables() {
		if c.matches("VpcId", t.vpc.ID) && c.matches("RouterId", t.vpc.VRouter) && c.matches("RouterType", "VRouter") &&
			c.matches("RouteTableId", t.ID) && c.matches("RouteTableName", t.Name) && c.matches("RouteTableType", t.kind()) &&
			c.tagged(t.Tags) && c.blank("ResourceGroupId") {
			found = append(found, t)
		}
	}
	page, n, err := pageOf(c, found, vpcPage)
	if err != nil {
		return nil, err
	}
	out := &routeTableList{numbered: n, Code: "200", Message: "successful", Success: true}
	out.RouterTableList.RouterTableListType = mapped(page, func(t *table) routerTable { return tableShape(w, t) })
	return out, nil
}

// describeRouteTables is the old action that Terraform's alicloud_route_entry polls.
func describeRouteTables(w *world, c *call) (reply, error) {
	router := cmp.Or(c.get("VRouterId"), c.get("RouterId"))
	if router == "" && c.get("RouteTableId") == "" && c.get("RouteTableName") == "" {
		return nil, missing("VRouterId")
	}
	var found []*table
	for _, t := range w.tables() {
		if (router == "" || router == t.vpc.VRouter) && c.matches("RouteTableId", t.ID) && c.matches("RouteTableName", t.Name) &&
			c.matches("RouterType", "VRouter") && c.blank("ResourceGroupId") {
			found = append(found, t)
		}
	}
	plain := *c // a fault's gaps are in the entries, not among the tables
	plain.fault = Fault{}
	page, n, err := pageOf(&plain, found, vpcPage)
	if err != nil {
		return nil, err
	}
	out := &routeTables{numbered: n}
	out.RouteTables.RouteTable = mapped(page, func(t *table) legacyTable { return legacyShape(c, w, t) })
	return out, nil
}

func describeRouteEntryList(w *world, c *call) (reply, error) {
	if c.get("RegionId") == "" {
		return nil, missing("RegionId") // every client sends it; of this action it is told to be required
	}
	t, err := tableFor(w, c, "InvalidRouteTable.NotFound")
	if err != nil {
		return nil, err
	}
	if t.Gateway {
		return nil, refuse("OperationDenied.UseGatewayRouteEntryQueryInterface")
	}
	size, err := entryPage(w, c)
	if err != nil {
		return nil, err
	}
	found, err := filterEntries(t, c)
	if err != nil {
		return nil, err
	}
	page, next, err := pageAfter(c, found, size)
	if err != nil {
		return nil, err
	}
	out := &routeEntryList{NextToken: next}
	out.RouteEntrys.RouteEntry = mapped(page, entryShape)
	return out, nil
}

// entryPage is how many entries a page has: 1 to 100 by the documents, though Alibaba's own
// cloud controller asks for 500 in production.
func entryPage(w *world, c *call) (int, error) {
	switch w.Readings.LongPage {
	case Allow:
		return c.number("MaxResult", 10, 500)
	case Refuse:
		return c.number("MaxResult", 10, 100)
	default:
		size, err := c.number("MaxResult", 10, 500)
		return min(size, 100), err
	}
}

func filterEntries(t *table, c *call) ([]*entry, error) {
	kind := c.get("RouteEntryType")
	switch strings.ToUpper(kind) {
	case "", "CUSTOM", "SYSTEM", "BGP", "CEN", "ECR":
	default:
		return nil, illegal("RouteEntryType")
	}
	if !strings.EqualFold(kind, "Custom") && (c.get("RouteEntryId") != "" || c.get("RouteEntryName") != "") {
		return nil, refuse("OperationFailed.FilterParamUnderWrongRouteType")
	}
	if v := c.get("IpVersion"); v != "" && !strings.EqualFold(v, "IPv4") && !strings.EqualFold(v, "IPv6") {
		return nil, illegal("IpVersion")
	}
	if c.get("ServiceType") != "" {
		return nil, nil // routes that another service learnt, of which there are none here
	}
	destinations := mapped(c.list("DestCidrBlockList"), canonical)
	if len(destinations) > 20 {
		return nil, illegal("DestCidrBlockList")
	}
	var found []*entry
	for _, e := range t.entries {
		destination := e.Destination.String()
		if c.matches("RouteEntryType", e.kind()) && c.matches("RouteEntryId", e.ID) && c.matches("RouteEntryName", e.Name) &&
			c.matches("NextHopId", e.NextHop) && c.matches("NextHopType", e.NextHopType) && c.matches("IpVersion", e.family()) &&
			(c.get("DestinationCidrBlock") == "" || canonical(c.get("DestinationCidrBlock")) == destination) &&
			(len(destinations) == 0 || slices.Contains(destinations, destination)) {
			found = append(found, e)
		}
	}
	return found, nil
}

func getVpcRouteEntrySummary(w *world, c *call) (reply, error) {
	for _, name := range [...]string{"VpcId", "RouteEntryType"} {
		if c.get(name) == "" {
			return nil, missing(name)
		}
	}
	out := &routeEntrySummary{RouteEntrySummarys: []tableSummary{}}
	for _, t := range w.tables() {
		if !c.matches("VpcId", t.vpc.ID) || !c.matches("RouteTableId", t.ID) {
			continue
		}
		sum := tableSummary{t.ID, []typeCount{}}
		for _, n := range [...]typeCount{{"Custom", t.custom()}, {"System", len(t.entries) - t.custom()}} {
			if c.matches("RouteEntryType", n.RouteEntryType) {
				sum.EntrySummarys = append(sum.EntrySummarys, n)
			}
		}
		out.RouteEntrySummarys = append(out.RouteEntrySummarys, sum)
	}
	return out, nil
}

// tableFor is the table that RouteTableId names.
func tableFor(w *world, c *call, unknown string) (*table, error) {
	id := c.get("RouteTableId")
	if id == "" {
		return nil, missing("RouteTableId")
	}
	t := w.table(id)
	if t == nil {
		return nil, refuse(unknown)
	}
	return t, nil
}
