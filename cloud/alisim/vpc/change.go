package vpc

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// createRouteEntry checks in the order that leaves the state of things to the end: what is
// wrong with the request for ever, then what may pass by waiting.
func (s *Service) createRouteEntry(w *world.World, c *call.Call) (call.Reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	r, err := routeOf(w, c, "DestinationCidrBlock", "NextHopId", "NextHopType", "RouteEntryName", c.Param)
	if err != nil {
		return nil, err
	}
	before, repeated, err := s.recallToken(w, c)
	switch {
	case err != nil:
		return nil, err
	case repeated:
		return &created{RouteEntryID: before}, nil
	}
	if err := cmp.Or(t.CheckReady(), t.CheckQuiet()); err != nil {
		return nil, err
	}
	e, err := w.CreateEntry(t, r, false, c.Now)
	if err != nil {
		return nil, err
	}
	w.BeginTask(t.VPC, c.Now, []*world.Entry{e})
	s.rememberToken(c, e.ID)
	return &created{RouteEntryID: e.ID}, nil
}

// routeOf reads an entry from parameters that single and batch call name differently.
func routeOf(w *world.World, c *call.Call, destination, hop, hopType, name string, get func(string) string) (seed.Route, error) {
	p, err := world.ParseDestination(get(destination), w.Readings.HostBits)
	if err != nil {
		return seed.Route{}, err
	}
	r := seed.Route{
		Destination: p, NextHop: get(hop), NextHopType: cmp.Or(get(hopType), seed.HopInstance),
		Name: get(name), Description: get("Description"),
	}
	if err := checkHops(r.NextHop, hop, c, get); err != nil {
		return seed.Route{}, err
	}
	return r, cmp.Or(checkFamily(p, get("IpVersion")), world.CheckTexts(r.Name, r.Description))
}

// checkHops says what is wrong with the next hop or the list of them. A list is for router
// interfaces, which do not exist here.
func checkHops(one, name string, c *call.Call, get func(string) string) error {
	list := c.Items("NextHopList")
	switch {
	case name == "NextHop" && one == "", one == "" && len(list) == 0 && get("NextHopType") != "":
		return world.MissingParameter(name)
	case one == "" && len(list) == 0:
		return world.NewRefusal("InvalidNexthopTypeAndList.BothNull")
	case one != "" && len(list) > 0:
		return world.NewRefusal("InvalidNexthopTypeAndList.BothNotNull")
	case len(list) == 1 || len(list) > 16:
		return world.NewRefusal("InvalidNextHopList.Size")
	case len(list) > 0:
		return world.NewRefusal("InvalidNextHop.NotFound")
	}
	return nil
}

// checkFamily checks the IpVersion of a batch's item, 4 or 6, against its destination.
func checkFamily(destination netip.Prefix, version string) error {
	if version == "" || version == "4" && destination.Addr().Is4() || version == "6" && !destination.Addr().Is4() {
		return nil
	}
	return world.IllegalParameter("IpVersion")
}

func modifyRouteEntry(w *world.World, c *call.Call) (call.Reply, error) {
	e, err := entryFor(w, c)
	if err != nil {
		return nil, err
	}
	next, err := modifiedRoute(c, e)
	if err != nil {
		return nil, err
	}
	if !e.IsSettled() {
		return nil, world.NewRefusal("IncorrectRouteEntryStatus")
	}
	if err := e.Table.CheckReady(); err != nil {
		return nil, err
	}
	if err := checkNewHop(w, c, e, next); err != nil {
		return nil, err
	}
	w.ModifyEntry(e, next, c.Now)
	return &call.Body{}, nil
}

// modifiedRoute is what a change asks an entry to become. A system entry can only get another next
// hop, and that in a custom table; the cloud's own services stay where they are.
func modifiedRoute(c *call.Call, e *world.Entry) (seed.Route, error) {
	hop, hopType := c.Param("NewNextHopId"), c.Param("NewNextHopType")
	_, named := c.Params["RouteEntryName"]
	_, described := c.Params["Description"]
	switch {
	case e.System && (e.Table.System || e.Destination == seed.ServiceRange() || hop == ""):
		return seed.Route{}, world.NewRefusal("OperationDenied")
	case hop == "" && hopType == "" && !named && !described:
		return seed.Route{}, world.MissingParameter("NewNextHopId")
	}
	next := e.Route
	next.NextHop, next.NextHopType = cmp.Or(hop, e.NextHop), cmp.Or(hopType, e.NextHopType)
	next.Name, next.Description = c.Updated("RouteEntryName", e.Name), c.Updated("Description", e.Description)
	if e.System {
		next.NextHopType = cmp.Or(hopType, seed.HopInstance)
	}
	return next, world.CheckTexts(next.Name, next.Description)
}

// checkNewHop checks the next hop that an entry is to get, if it is to get another.
func checkNewHop(w *world.World, c *call.Call, e *world.Entry, next seed.Route) error {
	if next.NextHop == e.NextHop && strings.EqualFold(next.NextHopType, e.NextHopType) {
		if c.Param("NewNextHopId") != "" {
			return world.NewRefusal("OperationDenied.NextHopNotChanged")
		}
		return nil
	}
	if e.System && e.Table.CustomCount() >= e.Table.Quota {
		return world.NewRefusal("QuotaExceeded") // it counts as a custom one from then on
	}
	return w.CheckNextHop(e.Table.VPC, next, c.Now)
}

func deleteRouteEntry(w *world.World, c *call.Call) (call.Reply, error) {
	e, err := entryFor(w, c)
	if err != nil {
		return nil, err
	}
	// Whether the cloud heeds a next hop that is not the entry's is not documented. An entry
	// with that next hop does not exist, so none is found.
	if hop := c.Param("NextHopId"); hop != "" && hop != e.NextHop && w.Readings.WrongHop != world.Allow {
		return nil, world.NewRefusal("InvalidRouteEntry.NotFound")
	}
	if err := cmp.Or(e.CheckRemovable(), e.Table.CheckReady()); err != nil {
		return nil, err
	}
	e.State = seed.Deleting
	w.BeginTask(e.Table.VPC, c.Now, []*world.Entry{e})
	return &call.Body{}, nil
}

// entryFor is the entry named by RouteEntryId, or by RouteTableId and DestinationCidrBlock.
func entryFor(w *world.World, c *call.Call) (*world.Entry, error) {
	if id := c.Param("RouteEntryId"); id != "" {
		e := w.EntryByID(id)
		if e == nil || c.Param("RouteTableId") != "" && c.Param("RouteTableId") != e.Table.ID {
			return nil, world.NewRefusal("InvalidRouteEntry.NotFound")
		}
		return e, nil
	}
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	p, err := world.ParseDestination(c.Param("DestinationCidrBlock"), w.Readings.HostBits)
	if err != nil {
		return nil, err
	}
	e := t.EntryFor(p)
	if e == nil {
		return nil, world.NewRefusal("InvalidRouteEntry.NotFound")
	}
	return e, nil
}
