package api

import "time"

// Publication is what the leader publishes after a pass. The registry writes all of it, or
// refuses it with ErrDeposed once the term is over.
type Publication struct {
	Routes  []RouteStatus // every desired destination; a record not among them is removed
	Pass    Pass
	Applied []Applied // what was done in the cloud since the last publication

	// Release names hosts that are gone and that no route points at any more: their claims are
	// removed, so that another host may have their subnets. Their own records stay.
	Release []InstanceID
}

// Applied is one change that was sent to the cloud: the audit record changes/<id>.
type Applied struct {
	At     time.Time `json:"at"`
	Term   Term      `json:"term"` // filled in by the registry
	Change Change    `json:"change"`
	Error  string    `json:"error,omitempty"` // why it did not come about; empty: it was read back
}

// Area is a part of the registry that a watch can wake for.
type Area string

// The areas.
const (
	AreaHosts  Area = "hosts"  // reports, presence and claims
	AreaRoutes Area = "routes" // the published state of the routes
	AreaConfig Area = "config"
	AreaPass   Area = "pass" // the leader finished a pass
)
