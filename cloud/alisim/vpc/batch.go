package vpc

import (
	"cmp"
	"errors"
	"slices"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// batchLimit is the most entries one batch call takes.
const batchLimit = 50

// createRouteEntries answers HTTP 200 however many items fail. What is malformed, names an
// unknown table or meets a running task fails the whole call; the rest fails by item.
// Items are worked in their order.
func createRouteEntries(w *world.World, c *call.Call) (call.Reply, error) {
	items, tables, err := readBatch(w, c)
	if err != nil {
		return nil, err
	}
	routes := make([]seed.Route, len(items))
	for i, it := range items {
		if routes[i], err = routeOf(w, c, "DstCidrBlock", "NextHop", "NextHopType", "Name", it.Param); err != nil {
			return nil, err
		}
		if it.Param("NextHopType") == "" {
			return nil, world.MissingParameter("NextHopType")
		}
	}
	if err := checkBatchQuota(w, tables); err != nil {
		return nil, err
	}
	out := &batchCreated{RouteEntryIDs: []string{}, FailedRouteEntries: []createFailed{}}
	var made []*world.Entry
	for i, r := range routes {
		e, err := createItem(w, c, tables[i], r, failureOf(c, i, len(items)))
		if e != nil {
			made = append(made, e)
		}
		if err != nil {
			out.FailedRouteEntries = append(out.FailedRouteEntries, createFailure(items[i], err))
			continue
		}
		out.RouteEntryIDs = append(out.RouteEntryIDs, e.ID)
	}
	out.SuccessCount, out.FailedCount = len(out.RouteEntryIDs), len(out.FailedRouteEntries)
	out.FailedRouteEntries = corruptFailures(c.Fault.Failures, out.FailedRouteEntries)
	beginTasks(w, c, made)
	return out, nil
}

// checkBatchQuota says whether the quota lets all items in, where it fails the call as a whole.
func checkBatchQuota(w *world.World, tables []*world.Table) error {
	more := map[*world.Table]int{}
	for _, t := range tables {
		if more[t]++; w.Readings.BatchQuota == world.Refuse && t.CustomCount()+more[t] > t.Quota {
			return world.NewRefusal("QuotaExceeded")
		}
	}
	return nil
}

// failureOf is what a fault makes of an item of a batch: it fails the last ones.
func failureOf(c *call.Call, i, of int) error {
	if i < of-c.Fault.Fail {
		return nil
	}
	return statusError(c.Fault.FailCode)
}

// statusError is the failure of an item, by default that its entry is in a middle state.
func statusError(code string) error {
	bad := world.NewRefusal(cmp.Or(code, "VPC_ROUTE_ENTRY_STATUS_ERROR"))
	bad.Message = "Specified routeEntry status error."
	return bad
}

// corruptFailures does to a list of failures what a fault asks for.
func corruptFailures[T any](how fault.Corruption, list []T) []T {
	switch {
	case len(list) == 0 || how == "":
	case how == fault.Short:
		list = list[:len(list)-1]
	case how == fault.Permuted:
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
func createItem(w *world.World, c *call.Call, t *world.Table, r seed.Route, fault error) (*world.Entry, error) {
	if fault != nil && !c.Fault.After {
		return nil, fault
	}
	e, err := createEntry(w, c, t, r)
	if err != nil {
		return nil, err
	}
	return e, fault
}

func createEntry(w *world.World, c *call.Call, t *world.Table, r seed.Route) (*world.Entry, error) {
	if old := t.EntryFor(r.Destination); old != nil && !old.IsSettled() {
		return nil, statusError("")
	}
	e, err := w.CreateEntry(t, r, true, c.Now)
	if world.HasCode(err, "InvalidCIDRBlock.Duplicate") {
		bad := world.NewRefusal("VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE")
		bad.Message = "Specified CIDR block is already exists, entry.cidrBlock=" + r.Destination.String()
		return nil, bad
	}
	return e, err
}

func deleteRouteEntries(w *world.World, c *call.Call) (call.Reply, error) {
	items, tables, err := readBatch(w, c)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.Param("RouteEntryId") == "" && (it.Param("DstCidrBlock") == "" || it.Param("NextHop") == "") {
			return nil, world.MissingParameter("RouteEntryId")
		}
	}
	out := &batchDeleted{FailedRouteEntries: []deleteFailed{}}
	var gone []*world.Entry
	for i, it := range items {
		fault := failureOf(c, i, len(items))
		e, err := deletableEntry(w, tables[i], it)
		if err == nil && (fault == nil || c.Fault.After) {
			e.State = seed.Deleting
			gone = append(gone, e)
		}
		err = cmp.Or(err, fault)
		if err != nil {
			out.FailedRouteEntries = append(out.FailedRouteEntries, deleteFailed{it.Param("RouteEntryId"), createFailure(it, err)})
		}
	}
	out.FailedCount = len(out.FailedRouteEntries)
	out.SuccessCount = len(items) - out.FailedCount
	out.FailedRouteEntries = corruptFailures(c.Fault.Failures, out.FailedRouteEntries)
	beginTasks(w, c, gone)
	return out, nil
}

// deletableEntry is the entry an item names, if it may be deleted.
func deletableEntry(w *world.World, t *world.Table, it call.Item) (*world.Entry, error) {
	e := world.Find(t.Entries, func(e *world.Entry) bool {
		if id := it.Param("RouteEntryId"); id != "" {
			return e.ID == id
		}
		return e.Destination.String() == world.CanonicalDestination(it.Param("DstCidrBlock")) &&
			(e.NextHop == it.Param("NextHop") || w.Readings.WrongHop == world.Allow)
	})
	if e == nil {
		bad := world.NewRefusal("VPC_ROUTER_ENTRY_NOT_EXIST") // ROUTER is the API's spelling
		bad.Message = "vRouterEntry not exists"
		return nil, bad
	}
	err := e.CheckRemovable()
	if world.HasCode(err, "IncorrectRouteEntryStatus") {
		return nil, statusError("")
	}
	return e, err
}

// readBatch reads the items with their tables, and refuses what fails the call as a whole.
func readBatch(w *world.World, c *call.Call) ([]call.Item, []*world.Table, error) {
	items := c.Items("RouteEntries")
	switch {
	case len(items) == 0, c.FormItems && w.Readings.BatchForm == world.Refuse:
		return nil, nil, world.MissingParameter("RouteEntries.1.RouteTableId")
	case len(items) > batchLimit:
		return nil, nil, world.IllegalParameter("RouteEntries")
	}
	tables := make([]*world.Table, len(items))
	for i, it := range items {
		id := it.Param("RouteTableId")
		if id == "" {
			return nil, nil, world.NewRefusal("MissingParam.RouteTableId")
		}
		if tables[i] = w.Table(id); tables[i] == nil {
			return nil, nil, world.NewRefusal("InvalidRouteTableId.NotFound")
		}
		if err := tables[i].CheckReady(); err != nil {
			return nil, nil, err
		}
	}
	return items, tables, nil
}

// beginTasks starts one task in each VPC that has entries among these.
func beginTasks(w *world.World, c *call.Call, entries []*world.Entry) {
	byVPC := map[*world.VPC][]*world.Entry{}
	for _, e := range entries {
		byVPC[e.Table.VPC] = append(byVPC[e.Table.VPC], e)
	}
	for v, es := range byVPC {
		w.BeginTask(v, c.Now, es)
	}
}

// createFailure is the item with its code. Of the batch codes only three are known; for the other
// reasons the code of the single call stands in.
func createFailure(it call.Item, err error) createFailed {
	out := createFailed{DstCidrBlock: it.Param("DstCidrBlock"), NextHop: it.Param("NextHop")}
	if r, ok := errors.AsType[*world.Refusal](err); ok {
		out.FailedCode, out.FailedMessage = r.Code, r.Message
	}
	return out
}
