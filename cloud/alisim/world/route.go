package world

import (
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// CreateEntry accepts a new entry, Pending, and leaves it to the caller to begin the task.
// batch selects the stricter reading of what a destination may be.
func (w *World) CreateEntry(t *Table, r seed.Route, batch bool, now time.Time) (*Entry, error) {
	if t.Gateway {
		return nil, NewRefusal("OperationDenied.RouteTableTypeNotPermitted")
	}
	if err := t.admitDestination(r.Destination, batch, w.Readings); err != nil {
		return nil, err
	}
	if old := t.EntryFor(r.Destination); old != nil {
		return nil, NewRefusal("InvalidCIDRBlock.Duplicate")
	}
	if err := w.CheckNextHop(t.VPC, r, now); err != nil {
		return nil, err
	}
	if t.CustomCount() >= t.Quota {
		return nil, NewRefusal("QuotaExceeded")
	}
	r.State = seed.Pending
	return w.enterEntry(t, r, now), nil
}

// CheckRemovable says whether the API may delete an entry now.
func (e *Entry) CheckRemovable() error {
	switch {
	case e.System:
		return NewRefusal("OperationDenied")
	case e.Table.Gateway:
		return NewRefusal("OperationDenied.RouteTableTypeNotPermitted")
	case !e.IsSettled():
		return NewRefusal("IncorrectRouteEntryStatus")
	}
	return nil
}

// CheckIdle says whether the VPC is free for another change of routes. A vSwitch under way has
// a code of its own; a task of routes is told as a conflict.
func (v *VPC) CheckIdle() error {
	switch {
	case v.Status != seed.Available:
		return NewRefusal("IncorrectVpcStatus")
	case slices.ContainsFunc(v.VSwitches, func(s *VSwitch) bool { return s.Status != seed.Available }):
		return NewRefusal("IncorrectVSwitchStatus")
	case v.task.running:
		return NewRefusal("TaskConflict")
	}
	return nil
}

// CheckReady says whether the table takes a change.
func (t *Table) CheckReady() error {
	if t.Status != seed.Available {
		return NewRefusal("IncorrectStatus.RouteTableStatus")
	}
	return t.VPC.CheckIdle()
}

// CheckQuiet says whether every entry of the table is Available, as a single create wants it.
func (t *Table) CheckQuiet() error {
	for _, e := range t.Entries {
		if !e.IsSettled() {
			return NewRefusal("IncorrectRouteEntryStatus")
		}
	}
	return nil
}

// CheckNextHop checks that a next hop exists in the VPC and may be one now. Of the many types only
// instances and their interfaces exist here.
func (w *World) CheckNextHop(v *VPC, r seed.Route, now time.Time) error {
	hop, hopType := r.NextHop, r.NextHopType
	i := w.Instance(hop)
	if !strings.EqualFold(hopType, seed.HopInstance) {
		i = nil
	}
	if strings.EqualFold(hopType, seed.HopInterface) {
		n, _ := w.NIC(hop)
		i = n.Instance
	}
	switch {
	case strings.EqualFold(hopType, seed.HopInstance) && (hop == "" || strings.ContainsAny(hop, "./ ")):
		// "cn-hangzhou.i-1" is the id that some node names carry; the API wants it bare.
		return IllegalParameter("NextHopId")
	case i == nil && !knownHop(hopType):
		return IllegalParameter("NextHopType")
	case i == nil:
		return NewRefusal("InvalidNextHop.NotFound")
	case now.Sub(w.started[i.ID]) < w.UnknownTime:
		return IllegalParameter("NextHopId") // a new instance may be unknown to the VPC for a moment
	case w.Readings.PrimaryENI == Refuse && hop == i.ENI:
		return NewRefusal("InvalidNexthop.DirectEni")
	case i.VPC != v.ID:
		return NewRefusal("OperationFailed.InstanceDismatchCurrentVpc")
	case i.Status != seed.Running && i.Status != seed.Stopped:
		return NewRefusal("IncorrectInstanceStatus")
	case !r.Destination.Addr().Is4():
		return w.checkNextHop6(r, i)
	}
	return nil
}

// knownHop reports whether the API knows a type of next hop; resources of most do not exist
// here.
func knownHop(hopType string) bool {
	return slices.ContainsFunc([]string{
		seed.HopInstance, seed.HopInterface, "HaVip", "RouterInterface", "VpnGateway", "IPv6Gateway", "NatGateway", "Attachment", "VpcPeer",
		"Ipv4Gateway", "GatewayEndpoint", "Ecr", "GatewayLoadBalancerEndpoint", "RouteTargetGroup", "CenBasic",
	}, func(t string) bool { return strings.EqualFold(t, hopType) })
}

// checkNextHop6 is the rest of reach for IPv6: an interface that is a next hop must be a secondary
// one with one IPv6 address; an instance must have some.
func (w *World) checkNextHop6(r seed.Route, i *seed.Instance) error {
	f := i.Primary()
	if n, ok := w.NIC(r.NextHop); ok {
		f = n.Interface
		switch {
		case n.IsPrimary:
			return NewRefusal("OperationUnsupported.Ipv6EntryOnPrimaryNetworkInterface")
		case len(f.IPv6) > 1:
			return NewRefusal("OperationUnsupported.MutipleIpv6Address") // the API's spelling
		}
	}
	if len(f.IPv6) == 0 {
		return NewRefusal("OperationFailed.InvalidNexthop")
	}
	return nil
}

// CheckTexts checks an entry's name and description: 1 to 128 and 1 to 256 characters, not
// beginning like a web address.
func CheckTexts(name, description string) error {
	switch {
	case !seed.TextFits(name, seed.NameLimit):
		return NewRefusal("InvalidRouteEntryName.Malformed")
	case !seed.TextFits(description, seed.DescriptionLimit):
		return NewRefusal("InvalidDescription.Malformed")
	}
	return nil
}

// EntriesTo are the entries that send to an instance.
func (w *World) EntriesTo(i *seed.Instance) []*Entry {
	var out []*Entry
	for _, t := range w.AllTables() {
		for _, e := range t.Entries {
			if e.NextHop == i.ID || slices.ContainsFunc(i.Attached(), func(f seed.Interface) bool { return f.ID == e.NextHop }) {
				out = append(out, e)
			}
		}
	}
	return out
}
