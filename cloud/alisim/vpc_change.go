package alisim

import (
	"cmp"
	"net/netip"
	"strings"
)

// createRouteEntry checks in the order that leaves the state of things to the end: what is
// wrong with the request for ever, then what may pass by waiting.
func (s *Service) createRouteEntry(w *world, c *call) (reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	r, err := routeOf(w, c, "DestinationCidrBlock", "NextHopId", "NextHopType", "RouteEntryName", c.get)
	if err != nil {
		return nil, err
	}
	before, repeated, err := s.recall(w, c)
	switch {
	case err != nil:
		return nil, err
	case repeated:
		return &created{RouteEntryID: before}, nil
	}
	if err := cmp.Or(t.ready(), t.quiet()); err != nil {
		return nil, err
	}
	e, err := w.create(t, r, false, c.now)
	if err != nil {
		return nil, err
	}
	w.begin(t.vpc, c.now, []*entry{e})
	s.remember(c, e.ID)
	w.touch()
	return &created{RouteEntryID: e.ID}, nil
}

// routeOf reads an entry from parameters that single and batch call name differently.
func routeOf(w *world, c *call, destination, hop, hopType, name string, get func(string) string) (Route, error) {
	p, err := parseDestination(get(destination), w.Readings.HostBits)
	if err != nil {
		return Route{}, err
	}
	r := Route{
		Destination: p, NextHop: get(hop), NextHopType: cmp.Or(get(hopType), HopInstance),
		Name: get(name), Description: get("Description"),
	}
	if err := hopList(r.NextHop, hop, c, get); err != nil {
		return Route{}, err
	}
	return r, cmp.Or(sameFamily(p, get("IpVersion")), describe(r.Name, r.Description))
}

// hopList says what is wrong with the next hop or the list of them. A list is for router
// interfaces, which do not exist here.
func hopList(one, name string, c *call, get func(string) string) error {
	list := c.items("NextHopList")
	switch {
	case name == "NextHop" && one == "", one == "" && len(list) == 0 && get("NextHopType") != "":
		return missing(name)
	case one == "" && len(list) == 0:
		return refuse("InvalidNexthopTypeAndList.BothNull")
	case one != "" && len(list) > 0:
		return refuse("InvalidNexthopTypeAndList.BothNotNull")
	case len(list) == 1 || len(list) > 16:
		return refuse("InvalidNextHopList.Size")
	case len(list) > 0:
		return refuse("InvalidNextHop.NotFound")
	}
	return nil
}

// sameFamily checks the IpVersion of a batch's item, 4 or 6, against its destination.
func sameFamily(destination netip.Prefix, version string) error {
	if version == "" || version == "4" && destination.Addr().Is4() || version == "6" && !destination.Addr().Is4() {
		return nil
	}
	return illegal("IpVersion")
}

func modifyRouteEntry(w *world, c *call) (reply, error) {
	e, err := entryFor(w, c)
	if err != nil {
		return nil, err
	}
	next, err := modifiedRoute(c, e)
	if err != nil {
		return nil, err
	}
	if !e.settled() {
		return nil, refuse("IncorrectRouteEntryStatus")
	}
	if err := e.table.ready(); err != nil {
		return nil, err
	}
	if err := repoint(w, c, e, next); err != nil {
		return nil, err
	}
	w.modify(e, next, c.now)
	return &body{}, nil
}

// modifiedRoute is what a change asks an entry to become. A system entry can only get another next
// hop, and that in a custom table; the cloud's own services stay where they are.
func modifiedRoute(c *call, e *entry) (Route, error) {
	hop, hopType := c.get("NewNextHopId"), c.get("NewNextHopType")
	_, named := c.params["RouteEntryName"]
	_, described := c.params["Description"]
	switch {
	case e.System && (e.table.System || e.Destination == serviceRange() || hop == ""):
		return Route{}, refuse("OperationDenied")
	case hop == "" && hopType == "" && !named && !described:
		return Route{}, missing("NewNextHopId")
	}
	next := e.Route
	next.NextHop, next.NextHopType = cmp.Or(hop, e.NextHop), cmp.Or(hopType, e.NextHopType)
	next.Name, next.Description = c.changed("RouteEntryName", e.Name), c.changed("Description", e.Description)
	if e.System {
		next.NextHopType = cmp.Or(hopType, HopInstance)
	}
	return next, describe(next.Name, next.Description)
}

// repoint checks the next hop that an entry is to get, if it is to get another.
func repoint(w *world, c *call, e *entry, next Route) error {
	if next.NextHop == e.NextHop && strings.EqualFold(next.NextHopType, e.NextHopType) {
		if c.get("NewNextHopId") != "" {
			return refuse("OperationDenied.NextHopNotChanged")
		}
		return nil
	}
	if e.System && e.table.custom() >= e.table.Quota {
		return refuse("QuotaExceeded") // it counts as a custom one from then on
	}
	return w.reach(e.table.vpc, next, c.now)
}

func deleteRouteEntry(w *world, c *call) (reply, error) {
	e, err := entryFor(w, c)
	if err != nil {
		return nil, err
	}
	// Whether the cloud heeds a next hop that is not the entry's is not documented. An entry
	// with that next hop does not exist, so none is found.
	if hop := c.get("NextHopId"); hop != "" && hop != e.NextHop && w.Readings.WrongHop != Allow {
		return nil, refuse("InvalidRouteEntry.NotFound")
	}
	if err := cmp.Or(e.removable(), e.table.ready()); err != nil {
		return nil, err
	}
	e.State = Deleting
	w.begin(e.table.vpc, c.now, []*entry{e})
	w.touch()
	return &body{}, nil
}

// entryFor is the entry named by RouteEntryId, or by RouteTableId and DestinationCidrBlock.
func entryFor(w *world, c *call) (*entry, error) {
	if id := c.get("RouteEntryId"); id != "" {
		e := w.entryByID(id)
		if e == nil || c.get("RouteTableId") != "" && c.get("RouteTableId") != e.table.ID {
			return nil, refuse("InvalidRouteEntry.NotFound")
		}
		return e, nil
	}
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	p, err := parseDestination(c.get("DestinationCidrBlock"), w.Readings.HostBits)
	if err != nil {
		return nil, err
	}
	e := t.entry(p)
	if e == nil {
		return nil, refuse("InvalidRouteEntry.NotFound")
	}
	return e, nil
}
