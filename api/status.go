package api

import "time"

// Status is what every interface shows: the document GET /api/v1/status returns, made from
// a registry snapshot and the leader's last pass. Any replica can make it.
type Status struct {
	Schema     string        `json:"schema"` // SchemaStatus
	Cluster    string        `json:"cluster"`
	Config     Config        `json:"config"`
	Replica    Replica       `json:"replica"`
	Registry   RegistryState `json:"registry"`
	Pass       *Pass         `json:"pass,omitempty"`
	Hosts      []HostStatus  `json:"hosts"`
	Routes     []RouteStatus `json:"routes"`
	Conflicts  []Conflict    `json:"conflicts"`
	Unreadable []Unreadable  `json:"unreadable,omitempty"`
	Findings   []Finding     `json:"findings"`
}

// Schemas of the JSON documents. They change only when a field changes its meaning.
const (
	SchemaStatus  = "sealane.status/v1"
	SchemaHosts   = "sealane.hosts/v1"
	SchemaRoutes  = "sealane.routes/v1"
	SchemaPlan    = "sealane.plan/v1"
	SchemaError   = "sealane.error/v1"
	SchemaVersion = "sealane.version/v1"
	SchemaWait    = "sealane.wait/v1"
	SchemaAdopt   = "sealane.adopt/v1"
	SchemaCheck   = "sealane.check/v1"
)

// Replica is the controller that answered.
type Replica struct {
	Name    string `json:"name"`
	Leads   bool   `json:"leads"`
	Version string `json:"version"`
}

// RegistryState says how fresh the document is.
type RegistryState struct {
	Revision  int64     `json:"revision"`
	ReadAt    time.Time `json:"readAt"`
	Reachable bool      `json:"reachable"`
	Problem   string    `json:"problem,omitempty"`
}

// HostStatus is a host with the one word that sums it up.
type HostStatus struct {
	Host
	State     HostState  `json:"state"`
	Why       string     `json:"why,omitempty"` // a sentence, when State is not HostReady
	Conflicts []Conflict `json:"conflicts,omitempty"`
}

// HostState sums a host up. It follows the traffic: no host is ready whose packets surely die
// on their way, or of which nobody can tell.
type HostState string

// Host states. Once its routes are written, a host that is not reached is degraded; before, it
// is pending, also when the cloud would drop its packets.
const (
	HostReady    HostState = "ready"    // alive, forwards, every subnet written in every table, and nothing known keeps packets back
	HostPending  HostState = "pending"  // on its way: no bridge yet, rules or routes not in place yet
	HostRefused  HostState = "refused"  // a subnet of it will not be routed, see Conflicts
	HostDegraded HostState = "degraded" // in service, and packets from or to it die, or nobody can tell
	HostGoneAway HostState = "away"     // left or gone
)

// HostList, RouteList and PlanDocument are the partial documents of the API.
type (
	// HostList is GET /api/v1/hosts.
	HostList struct {
		Schema string       `json:"schema"` // SchemaHosts
		Hosts  []HostStatus `json:"hosts"`
	}
	// RouteList is GET /api/v1/routes.
	RouteList struct {
		Schema string        `json:"schema"` // SchemaRoutes
		Routes []RouteStatus `json:"routes"`
	}
	// PlanDocument is GET /api/v1/plan: the plan of the last pass.
	PlanDocument struct {
		Schema    string    `json:"schema"` // SchemaPlan
		At        time.Time `json:"at"`
		Policy    Policy    `json:"policy"`
		DeletesID string    `json:"deletesId,omitempty"`
		Omitted   int       `json:"omitted,omitempty"` // lines left out to keep the record small
		Plan      Plan      `json:"plan"`
	}
	// ErrorBody is the body of every failed request.
	ErrorBody struct {
		Schema string `json:"schema"` // SchemaError
		Kind   string `json:"kind"`   // one of the error kinds of this package, its text
		Error  string `json:"error"`
	}
)
