package api

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"
)

// Route is one custom route of a VPC route table.
type Route struct {
	Table       TableID      `json:"table"`
	Destination netip.Prefix `json:"destination"`
	NextHop     string       `json:"nextHop"`           // the cloud's id of the next hop; for ours an InstanceID or InterfaceID
	HopType     HopType      `json:"hopType,omitempty"` // empty means HopInstance
	State       RouteState   `json:"state,omitempty"`   // as last read from the cloud; empty for a desired route
	Mark        Mark         `json:"mark,omitzero"`     // zero: foreign
	Spoiled     bool         `json:"spoiled,omitempty"` // foreign, though it carries a mark of sealane: one that was copied or edited
	Stale       bool         `json:"stale,omitempty"`   // its mark is sealed with a key that is on its way out
	ID          string       `json:"id,omitempty"`      // the cloud's id of it; empty for a desired route
}

// HopType is the kind of a next hop, in the cloud's spelling.
type HopType string

// The next hops that sealane writes.
const (
	HopInstance  HopType = "Instance"         // an instance's primary network interface
	HopInterface HopType = "NetworkInterface" // a secondary interface, where that is the host's uplink
)

// RouteState is where the cloud is with a route.
type RouteState string

// The states of a route, as the cloud reports them.
const (
	RouteAvailable RouteState = "Available"
	RoutePending   RouteState = "Pending"
	RouteModifying RouteState = "Modifying"
	RouteDeleting  RouteState = "Deleting"
)

// RouteKey names a place in a table: a table holds one route for a destination.
type RouteKey struct {
	Table       TableID
	Destination netip.Prefix
}

// Key returns the route's place.
func (r Route) Key() RouteKey { return RouteKey{r.Table, r.Destination} }

// OwnedBy reports whether the route carries the mark of this cluster.
func (r Route) OwnedBy(cluster string) bool { return r.Mark.Cluster == cluster && !r.Mark.IsZero() }

// SameTarget reports whether both routes send to the same next hop.
func (r Route) SameTarget(o Route) bool {
	return r.NextHop == o.NextHop && r.hop() == o.hop()
}

func (r Route) hop() HopType {
	if r.HopType == "" {
		return HopInstance
	}
	return r.HopType
}

// String is the route as people write it: destination -> next hop, and the table.
func (r Route) String() string {
	return fmt.Sprintf("%s -> %s in %s", r.Destination, r.NextHop, r.Table)
}

// CompareRoutes orders routes by destination, then table.
func CompareRoutes(a, b Route) int {
	return cmp.Or(ComparePrefixes(a.Destination, b.Destination), cmp.Compare(a.Table, b.Table))
}

// ComparePrefixes orders prefixes by address, then the shorter first.
func ComparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// Stage is how far a desired route has come.
type Stage string

// The three states of a desired route.
const (
	StageWanted   Stage = "wanted"   // decided, not yet in every table
	StageWritten  Stage = "written"  // read back Available with our next hop, in every table
	StageVerified Stage = "verified" // seen by a packet
)

// RouteStatus is the published state of one desired destination: record routes/<prefix>.
type RouteStatus struct {
	Destination netip.Prefix        `json:"destination"`
	Host        InstanceID          `json:"host"`
	Stage       Stage               `json:"stage"`
	Tables      map[TableID]InTable `json:"tables"`           // each table that must carry it
	Reason      Reason              `json:"reason,omitempty"` // why it is not written, when it is not
	KeepSource  bool                `json:"keepSource"`       // the cluster keeps container source addresses, and the cloud passes them to this host
	Since       time.Time           `json:"since"`            // when Stage last changed
}

// InTable is one table's part of a RouteStatus.
type InTable struct {
	Stage  Stage  `json:"stage"`
	Reason Reason `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Equal reports whether both say the same, leaving aside Since.
func (s RouteStatus) Equal(o RouteStatus) bool {
	if s.Destination != o.Destination || s.Host != o.Host || s.Stage != o.Stage || s.Reason != o.Reason ||
		s.KeepSource != o.KeepSource || len(s.Tables) != len(o.Tables) {
		return false
	}
	for id, t := range s.Tables {
		if o.Tables[id] != t {
			return false
		}
	}
	return true
}
