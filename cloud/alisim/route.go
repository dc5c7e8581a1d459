package alisim

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// create accepts a new entry, Pending, and leaves it to the caller to begin the task.
// batch selects the stricter reading of what a destination may be.
func (w *world) create(t *table, r Route, batch bool, now time.Time) (*entry, error) {
	if t.Gateway {
		return nil, refuse("OperationDenied.RouteTableTypeNotPermitted")
	}
	if err := t.admits(r.Destination, batch, w.Readings); err != nil {
		return nil, err
	}
	if old := t.entry(r.Destination); old != nil {
		return nil, refuse("InvalidCIDRBlock.Duplicate")
	}
	if err := w.reach(t.vpc, r, now); err != nil {
		return nil, err
	}
	if t.custom() >= t.Quota {
		return nil, refuse("QuotaExceeded")
	}
	r.State = Pending
	return w.enter(t, r, now), nil
}

// removable says whether the API may delete an entry now.
func (e *entry) removable() error {
	switch {
	case e.System:
		return refuse("OperationDenied")
	case e.table.Gateway:
		return refuse("OperationDenied.RouteTableTypeNotPermitted")
	case !e.settled():
		return refuse("IncorrectRouteEntryStatus")
	}
	return nil
}

// idle says whether the VPC is free for another change of routes. A vSwitch under way has
// a code of its own; a task of routes is told as a conflict.
func (v *vpc) idle() error {
	switch {
	case v.status != Available:
		return refuse("IncorrectVpcStatus")
	case slices.ContainsFunc(v.vswitches, func(s *vswitch) bool { return s.status != Available }):
		return refuse("IncorrectVSwitchStatus")
	case v.task.running:
		return refuse("TaskConflict")
	}
	return nil
}

// ready says whether the table takes a change.
func (t *table) ready() error {
	if t.status != Available {
		return refuse("IncorrectStatus.RouteTableStatus")
	}
	return t.vpc.idle()
}

// quiet says whether every entry of the table is Available, as a single create wants it.
func (t *table) quiet() error {
	for _, e := range t.entries {
		if !e.settled() {
			return refuse("IncorrectRouteEntryStatus")
		}
	}
	return nil
}

// reach checks that a next hop exists in the VPC and may be one now. Of the many types only
// instances and their interfaces exist here.
func (w *world) reach(v *vpc, r Route, now time.Time) error {
	hop, hopType := r.NextHop, r.NextHopType
	i := w.instance(hop)
	if !strings.EqualFold(hopType, HopInstance) {
		i = nil
	}
	if strings.EqualFold(hopType, HopInterface) {
		n, _ := w.nic(hop)
		i = n.Instance
	}
	switch {
	case strings.EqualFold(hopType, HopInstance) && (hop == "" || strings.ContainsAny(hop, "./ ")):
		// "cn-hangzhou.i-1" is the id that some node names carry; the API wants it bare.
		return illegal("NextHopId")
	case i == nil && !knownHop(hopType):
		return illegal("NextHopType")
	case i == nil:
		return refuse("InvalidNextHop.NotFound")
	case now.Sub(w.started[i.ID]) < w.UnknownTime:
		return illegal("NextHopId") // a new instance may be unknown to the VPC for a moment
	case w.Readings.PrimaryENI == Refuse && hop == i.ENI:
		return refuse("InvalidNexthop.DirectEni")
	case i.VPC != v.ID:
		return refuse("OperationFailed.InstanceDismatchCurrentVpc")
	case i.Status != Running && i.Status != Stopped:
		return refuse("IncorrectInstanceStatus")
	case !r.Destination.Addr().Is4():
		return w.reach6(r, i)
	}
	return nil
}

// knownHop reports whether the API knows a type of next hop; resources of most do not exist
// here.
func knownHop(hopType string) bool {
	return slices.ContainsFunc([]string{
		HopInstance, HopInterface, "HaVip", "RouterInterface", "VpnGateway", "IPv6Gateway", "NatGateway", "Attachment", "VpcPeer",
		"Ipv4Gateway", "GatewayEndpoint", "Ecr", "GatewayLoadBalancerEndpoint", "RouteTargetGroup", "CenBasic",
	}, func(t string) bool { return strings.EqualFold(t, hopType) })
}

// reach6 is the rest of reach for IPv6: an interface that is a next hop must be a secondary
// one with one IPv6 address; an instance must have some.
func (w *world) reach6(r Route, i *Instance) error {
	f := i.Primary()
	if n, ok := w.nic(r.NextHop); ok {
		f = n.Interface
		switch {
		case n.primary:
			return refuse("OperationUnsupported.Ipv6EntryOnPrimaryNetworkInterface")
		case len(f.IPv6) > 1:
			return refuse("OperationUnsupported.MutipleIpv6Address") // the API's spelling
		}
	}
	if len(f.IPv6) == 0 {
		return refuse("OperationFailed.InvalidNexthop")
	}
	return nil
}

// describe checks an entry's name and description: 1 to 128 and 1 to 256 characters, not
// beginning like a web address.
func describe(name, description string) error {
	switch {
	case !within(name, 128):
		return refuse("InvalidRouteEntryName.Malformed")
	case !within(description, 256):
		return refuse("InvalidDescription.Malformed")
	}
	return nil
}

func within(text string, limit int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		!strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://")
}

// pointingAt are the entries that send to an instance.
func (w *world) pointingAt(i *Instance) []*entry {
	var out []*entry
	for _, t := range w.tables() {
		for _, e := range t.entries {
			if e.NextHop == i.ID || slices.ContainsFunc(i.Attached(), func(f Interface) bool { return f.ID == e.NextHop }) {
				out = append(out, e)
			}
		}
	}
	return out
}
