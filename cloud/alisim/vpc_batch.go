package alisim

import (
	"errors"
)

// batchLimit is the most entries one batch call takes.
const batchLimit = 50

// createRouteEntries answers HTTP 200 however many items fail. What is malformed, names an
// unknown table or meets a running task fails the whole call; the rest fails by item.
// Items are worked in their order.
func createRouteEntries(s *Sim, c *call) (reply, error) {
	items, tables, err := s.batch(c)
	if err != nil {
		return nil, err
	}
	routes := make([]Route, len(items))
	for i, it := range items {
		if routes[i], err = c.route("DstCidrBlock", "NextHop", "NextHopType", "Name", it.get); err != nil {
			return nil, err
		}
		if it.get("NextHopType") == "" {
			return nil, missing("NextHopType")
		}
	}
	out := &batchCreated{RouteEntryIDs: []string{}, FailedRouteEntries: []createFailed{}}
	var made []*entry
	for i, r := range routes {
		e, err := s.createItem(c, tables[i], r)
		if err != nil {
			out.FailedRouteEntries = append(out.FailedRouteEntries, failed(items[i], err))
			continue
		}
		made = append(made, e)
		out.RouteEntryIDs = append(out.RouteEntryIDs, e.ID)
	}
	out.SuccessCount, out.FailedCount = len(made), len(out.FailedRouteEntries)
	if c.dryRun() {
		for _, e := range made {
			e.remove()
		}
		return nil, refuse("DryRunOperation")
	}
	s.begin(c, made)
	return out, nil
}

// createItem is create with the codes of the batch call where those are known.
func (s *Sim) createItem(c *call, t *table, r Route) (*entry, error) {
	if old := t.entry(r.Destination); old != nil && !old.settled() {
		bad := refuse("VPC_ROUTE_ENTRY_STATUS_ERROR")
		bad.message = "Specified routeEntry status error."
		return nil, bad
	}
	e, err := s.world.create(t, r, true, c.now)
	if isCode(err, "InvalidCIDRBlock.Duplicate") {
		bad := refuse("VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE")
		bad.message = "Specified CIDR block is already exists, entry.cidrBlock=" + r.Destination.String()
		return nil, bad
	}
	return e, err
}

func deleteRouteEntries(s *Sim, c *call) (reply, error) {
	items, tables, err := s.batch(c)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.get("RouteEntryId") == "" && (it.get("DstCidrBlock") == "" || it.get("NextHop") == "") {
			return nil, missing("RouteEntryId")
		}
	}
	out := &batchDeleted{FailedRouteEntries: []deleteFailed{}}
	var gone []*entry
	for i, it := range items {
		e, err := deletable(tables[i], it)
		if err != nil {
			out.FailedRouteEntries = append(out.FailedRouteEntries, deleteFailed{it.get("RouteEntryId"), failed(it, err)})
			continue
		}
		e.State = Deleting
		gone = append(gone, e)
	}
	out.SuccessCount, out.FailedCount = len(gone), len(out.FailedRouteEntries)
	if c.dryRun() {
		for _, e := range gone {
			e.State = Available
		}
		return nil, refuse("DryRunOperation")
	}
	s.begin(c, gone)
	return out, nil
}

// deletable is the entry an item names, if it may be deleted.
func deletable(t *table, it item) (*entry, error) {
	e := find(t.entries, func(e *entry) bool {
		if id := it.get("RouteEntryId"); id != "" {
			return e.ID == id
		}
		return e.Destination.String() == it.get("DstCidrBlock") && e.NextHop == it.get("NextHop")
	})
	if e == nil {
		bad := refuse("VPC_ROUTER_ENTRY_NOT_EXIST") // ROUTER is the API's spelling
		bad.message = "vRouterEntry not exists"
		return nil, bad
	}
	err := e.removable()
	if isCode(err, "IncorrectRouteEntryStatus") {
		bad := refuse("VPC_ROUTE_ENTRY_STATUS_ERROR")
		bad.message = "Specified routeEntry status error."
		return nil, bad
	}
	return e, err
}

// batch reads the items with their tables, and refuses what fails the call as a whole.
func (s *Sim) batch(c *call) ([]item, []*table, error) {
	items := c.items("RouteEntries")
	switch {
	case len(items) == 0:
		return nil, nil, missing("RouteEntries.1.RouteTableId")
	case len(items) > batchLimit:
		return nil, nil, illegal("RouteEntries")
	}
	tables := make([]*table, len(items))
	for i, it := range items {
		id := it.get("RouteTableId")
		if id == "" {
			return nil, nil, refuse("MissingParam.RouteTableId")
		}
		if tables[i] = s.world.table(id); tables[i] == nil {
			return nil, nil, refuse("InvalidRouteTableId.NotFound")
		}
		if err := tables[i].vpc.idle(); err != nil {
			return nil, nil, err
		}
	}
	return items, tables, nil
}

// begin starts one task in each VPC that has entries among these.
func (s *Sim) begin(c *call, entries []*entry) {
	byVPC := map[*vpc][]*entry{}
	for _, e := range entries {
		byVPC[e.table.vpc] = append(byVPC[e.table.vpc], e)
	}
	for v, es := range byVPC {
		v.begin(c.now, s.world.taskTime, es)
	}
	if len(entries) > 0 {
		s.wake()
	}
}

// failed is the item with its code. Of the batch codes only three are known; for the other
// reasons the code of the single call stands in.
func failed(it item, err error) createFailed {
	out := createFailed{DstCidrBlock: it.get("DstCidrBlock"), NextHop: it.get("NextHop")}
	if r, ok := errors.AsType[*refusal](err); ok {
		out.FailedCode, out.FailedMessage = r.code, r.message
	}
	return out
}
