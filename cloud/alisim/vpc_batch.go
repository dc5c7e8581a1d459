package alisim

import (
	"cmp"
	"errors"
	"slices"
)

// batchLimit is the most entries one batch call takes.
const batchLimit = 50

// createRouteEntries answers HTTP 200 however many items fail. What is malformed, names an
// unknown table or meets a running task fails the whole call; the rest fails by item.
// Items are worked in their order.
func createRouteEntries(w *world, c *call) (reply, error) {
	items, tables, err := batch(w, c)
	if err != nil {
		return nil, err
	}
	routes := make([]Route, len(items))
	for i, it := range items {
		if routes[i], err = routeOf(w, c, "DstCidrBlock", "NextHop", "NextHopType", "Name", it.get); err != nil {
			return nil, err
		}
		if it.get("NextHopType") == "" {
			return nil, missing("NextHopType")
		}
	}
	if err := fits(w, tables); err != nil {
		return nil, err
	}
	out := &batchCreated{RouteEntryIDs: []string{}, FailedRouteEntries: []createFailed{}}
	var made []*entry
	for i, r := range routes {
		e, err := createItem(w, c, tables[i], r, failureOf(c, i, len(items)))
		if e != nil {
			made = append(made, e)
		}
		if err != nil {
			out.FailedRouteEntries = append(out.FailedRouteEntries, failed(items[i], err))
			continue
		}
		out.RouteEntryIDs = append(out.RouteEntryIDs, e.ID)
	}
	out.SuccessCount, out.FailedCount = len(out.RouteEntryIDs), len(out.FailedRouteEntries)
	out.FailedRouteEntries = spoil(c.fault.Failures, out.FailedRouteEntries)
	begin(w, c, made)
	return out, nil
}

// fits says whether the quota lets all items in, where it fails the call as a whole.
func fits(w *world, tables []*table) error {
	more := map[*table]int{}
	for _, t := range tables {
		if more[t]++; w.Readings.BatchQuota == Refuse && t.custom()+more[t] > t.Quota {
			return refuse("QuotaExceeded")
		}
	}
	return nil
}

// failureOf is what a fault makes of an item of a batch: it fails the last ones.
func failureOf(c *call, i, of int) error {
	if i < of-c.fault.Fail {
		return nil
	}
	return statusError(c.fault.FailCode)
}

// statusError is the failure of an item, by default that its entry is in a middle state.
func statusError(code string) error {
	bad := refuse(cmp.Or(code, "VPC_ROUTE_ENTRY_STATUS_ERROR"))
	bad.message = "Specified routeEntry status error."
	return bad
}

// spoil does to a list of failures what a fault asks for.
func spoil[T any](how Spoil, list []T) []T {
	switch {
	case len(list) == 0 || how == "":
	case how == Short:
		list = list[:len(list)-1]
	case how == Permuted:
		slices.Reverse(list)
	case len(list) == 1:
		list = append(list, list[0])
	default:
		list[len(list)-1] = list[0]
	}
	return list
}

// createItem is create with the codes of the batch call where those are known. An item that
// a fault fails is made all the same when the fault strikes after the work: then both are
// returned.
func createItem(w *world, c *call, t *table, r Route, fault error) (*entry, error) {
	if fault != nil && !c.fault.After {
		return nil, fault
	}
	e, err := createEntry(w, c, t, r)
	if err != nil {
		return nil, err
	}
	return e, fault
}

func createEntry(w *world, c *call, t *table, r Route) (*entry, error) {
	if old := t.entry(r.Destination); old != nil && !old.settled() {
		return nil, statusError("")
	}
	e, err := w.create(t, r, true, c.now)
	if isCode(err, "InvalidCIDRBlock.Duplicate") {
		bad := refuse("VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE")
		bad.message = "Specified CIDR block is already exists, entry.cidrBlock=" + r.Destination.String()
		return nil, bad
	}
	return e, err
}

func deleteRouteEntries(w *world, c *call) (reply, error) {
	items, tables, err := batch(w, c)
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
		fault := failureOf(c, i, len(items))
		e, err := deletable(w, tables[i], it)
		if err == nil && (fault == nil || c.fault.After) {
			e.State = Deleting
			gone = append(gone, e)
		}
		err = cmp.Or(err, fault)
		if err != nil {
			out.FailedRouteEntries = append(out.FailedRouteEntries, deleteFailed{it.get("RouteEntryId"), failed(it, err)})
		}
	}
	out.FailedCount = len(out.FailedRouteEntries)
	out.SuccessCount = len(items) - out.FailedCount
	out.FailedRouteEntries = spoil(c.fault.Failures, out.FailedRouteEntries)
	begin(w, c, gone)
	return out, nil
}

// deletable is the entry an item names, if it may be deleted.
func deletable(w *world, t *table, it item) (*entry, error) {
	e := find(t.entries, func(e *entry) bool {
		if id := it.get("RouteEntryId"); id != "" {
			return e.ID == id
		}
		return e.Destination.String() == canonical(it.get("DstCidrBlock")) &&
			(e.NextHop == it.get("NextHop") || w.Readings.WrongHop == Allow)
	})
	if e == nil {
		bad := refuse("VPC_ROUTER_ENTRY_NOT_EXIST") // ROUTER is the API's spelling
		bad.message = "vRouterEntry not exists"
		return nil, bad
	}
	err := e.removable()
	if isCode(err, "IncorrectRouteEntryStatus") {
		return nil, statusError("")
	}
	return e, err
}

// batch reads the items with their tables, and refuses what fails the call as a whole.
func batch(w *world, c *call) ([]item, []*table, error) {
	items := c.items("RouteEntries")
	switch {
	case len(items) == 0, c.formItems && w.Readings.BatchForm == Refuse:
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
		if tables[i] = w.table(id); tables[i] == nil {
			return nil, nil, refuse("InvalidRouteTableId.NotFound")
		}
		if err := tables[i].ready(); err != nil {
			return nil, nil, err
		}
	}
	return items, tables, nil
}

// begin starts one task in each VPC that has entries among these.
func begin(w *world, c *call, entries []*entry) {
	byVPC := map[*vpc][]*entry{}
	for _, e := range entries {
		byVPC[e.table.vpc] = append(byVPC[e.table.vpc], e)
	}
	for v, es := range byVPC {
		w.begin(v, c.now, es)
	}
	if len(entries) > 0 {
		w.touch()
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
