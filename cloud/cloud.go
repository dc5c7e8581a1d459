// Package cloud says what sealane needs of any cloud, and no more: to read a network,
// its instances and its route tables, and to change routes.
package cloud

import (
	"context"
	"net/netip"

	"github.com/sealane/sealane/api"
)

// Tables reads and changes the route tables of one VPC. A provider, the in-memory fake
// and the decorators of package pace implement it; cloudtest.Run holds the behaviour they
// all must show.
//
// Methods may be called from several goroutines. Every call ends when its context does.
// Errors are of the kinds in package api: ErrThrottled, ErrDenied, ErrUnreachable,
// ErrNotFound, ErrInvalid. A list is returned whole or not at all: a listing that was
// interrupted is an error: it does not prove that a route is missing.
type Tables interface {
	// Network describes the VPC, its vSwitches and its route tables that accept routes.
	Network(ctx context.Context) (Network, error)

	// Instances describes those of the named instances that the cloud knows, sorted by
	// id. An id missing from the answer is unknown to the cloud at this moment.
	Instances(ctx context.Context, ids []api.InstanceID) ([]Instance, error)

	// Routes lists every custom route of a table, ours and foreign, sorted. A route
	// without an intact mark of ours comes with a zero Mark.
	Routes(ctx context.Context, table api.TableID) ([]api.Route, error)

	// Apply makes the changes and settles them: it returns when each was read back in its
	// final state, or failed, or the context ended. There is one Result for each change,
	// in the same order. A failure of one change does not stop the others, but for deletes of
	// what a create or replace before them in the same table covers: they wait for it, and end
	// with ErrBusy where it is not known to be there. Being throttled or denied, and the end
	// of the context, stop all that were not sent yet, whose results then carry that error. At
	// most one change per VPC is in flight. Just before it replaces or deletes a route it
	// reads it again and refuses with ErrRefused if the route is no longer what the change
	// says it was (next hop and mark, and the id where it says one), unless it already is what
	// the change asks for. Just before each request that changes something it asks permit; an
	// error from there stops all that was not sent yet, whose results then carry it. Apply
	// returns an error itself, and no results, only if nothing was attempted.
	Apply(ctx context.Context, changes []api.Change, permit Permit) ([]Result, error)
}

// Result is what became of one change. A nil Err means it was read back: for a create or a
// replace Available with our next hop and mark, for a delete absent.
//
// Kinds of Err: ErrRefused (a route that is not ours has the destination); ErrQuota; ErrBusy
// (another change in flight, try soon); ErrNotFound (the next hop); ErrInvalid (the cloud does not
// accept the destination); ErrThrottled; ErrDenied; ErrUnknown (sent, and not settled within the
// time); ErrUnreachable.
type Result struct {
	Change api.Change
	Err    error
}

// Gates opens what else of the cloud holds container traffic back. It is used where an
// operator said so (api.Manage), and errors are those of Tables. Before each request that
// changes something the permit is asked.
type Gates interface {
	// SetSourceCheck switches the source/destination check of an interface, and reports whether it
	// had to: false without an error says that the check was so before.
	SetSourceCheck(ctx context.Context, id api.InterfaceID, on bool, permit Permit) (changed bool, err error)

	// Admit adds a rule to a security group, marked for the cluster: let these sources in
	// on every protocol and port, and out to them where the group would not. Rules that are
	// there already are left as they are. A pool of which a rule drops something that no other
	// rule can outrank is ErrRefused; nothing is added for it.
	Admit(ctx context.Context, group api.GroupID, cluster string, pools []netip.Prefix, permit Permit) error

	// Revoke removes the rules that Admit made for the cluster in the group, and no other. It
	// returns how many there were.
	Revoke(ctx context.Context, group api.GroupID, cluster string, permit Permit) (int, error)
}

// Network is a VPC as the cloud describes it.
type Network struct {
	VPC       api.VPCID
	CIDRs     []netip.Prefix // primary first, then the secondary ones, then IPv6
	VSwitches []VSwitch      // sorted by id
	Tables    []Table        // sorted by id; gateway tables are left out
}

// VSwitch is one subnet of the VPC. It uses exactly one route table.
type VSwitch struct {
	ID    api.VSwitchID
	CIDR  netip.Prefix
	CIDR6 netip.Prefix // not valid when it has no IPv6 range
	Table api.TableID
}

// Table is a route table.
type Table struct {
	ID     api.TableID
	System bool // the VPC's own table
	Quota  int  // custom routes it may hold
	Used   int  // custom routes that count against it, as the cloud counts; 0 when it does not say
}

// Instance is a machine as the cloud describes it.
type Instance struct {
	ID        api.InstanceID
	Status    Status
	VPC       api.VPCID
	Interface             // the primary one
	Others    []Interface // secondary ones, sorted by id
}

// Uplink returns the interface that a host reports as its uplink, the primary one for an
// empty id; ok is false when the instance has none with this id.
func (i Instance) Uplink(id api.InterfaceID) (uplink Interface, ok bool) {
	if id == "" || id == i.Interface.ID {
		return i.Interface, true
	}
	for _, o := range i.Others {
		if o.ID == id {
			return o, true
		}
	}
	return Interface{}, false
}

// Interface is a network interface of an instance.
type Interface struct {
	ID          api.InterfaceID
	VSwitch     api.VSwitchID
	IP          netip.Addr     // primary private address
	SourceCheck bool           // it drops packets that are not its own: containers' too
	Groups      []api.GroupID  // its security groups, sorted
	Admits      []netip.Prefix // sources that they let in on every protocol and port
	Emits       []netip.Prefix // destinations that they let out to on every protocol and port
	MayAdmit    []Opening      // sources that they may let in on ports at large
	MayEmit     []Opening      // destinations that they may let out to on ports at large
	Unread      bool           // its check or its groups could not be read: the fields above are the careful guess
}

// Status is an instance's power state, in the cloud's spelling.
type Status string

// The states that matter here; others pass through unchanged.
const (
	Running Status = "Running"
	Stopped Status = "Stopped"
)

// BatchLimit is the most changes a provider sends in one call; Alibaba Cloud takes 50
// routes in CreateRouteEntries and DeleteRouteEntries.
const BatchLimit = 50
