package api

import (
	"cmp"
	"slices"
	"time"
)

// Snapshot is the whole registry at one revision. Decisions are made from snapshots only.
type Snapshot struct {
	Revision   int64
	Hosts      []Host        // sorted by instance; Life is LifeAlive, LifeSilent, LifeRegistered or LifeLeft
	Claims     []Claim       // sorted by prefix
	Routes     []RouteStatus // as published by the leader; sorted by destination
	Config     *Config       // nil when no operator wrote one yet
	Pass       *Pass         // the leader's last pass; nil when there was none
	Unreadable []Unreadable  // records that could not be decoded; not empty makes the view incomplete
}

// Complete reports whether every record was understood. Nothing is deleted otherwise.
func (s Snapshot) Complete() bool { return len(s.Unreadable) == 0 }

// Unreadable is a record that could not be decoded: garbage, or of a newer version.
type Unreadable struct {
	Key     string `json:"key"`
	Problem string `json:"problem"`
}

// Pass is what the leader publishes about its last pass: record pass.
type Pass struct {
	Term      Term          `json:"term"`
	At        time.Time     `json:"at"`
	Revision  int64         `json:"revision"`        // of the snapshot it was decided from
	Cloud     string        `json:"cloud,omitempty"` // what could not be read or done in the cloud; empty is fine
	Policy    Policy        `json:"policy"`
	Plan      Plan          `json:"plan"`                // what is left to do, hold and refuse
	DeletesID string        `json:"deletesId,omitempty"` // Plan.DeletesID of the whole plan, also when it is cut
	Omitted   int           `json:"omitted,omitempty"`   // lines of plan and findings that were left out to keep the record small
	Hosts     []HostLife    `json:"hosts,omitempty"`     // lives that need the cloud's word: stopped, missing, gone
	Blocked   []Blocked     `json:"blocked,omitempty"`   // hosts that the cloud keeps packets from, or may
	CloudRead time.Time     `json:"cloudRead,omitzero"`  // when the cloud was last read as a whole
	Tables    []TableUse    `json:"tables,omitempty"`
	Opened    []InterfaceID `json:"opened,omitempty"`   // interfaces whose source/destination check the controller switched off, in all, or was about to
	Admitted  []GroupID     `json:"admitted,omitempty"` // security groups that the controller added rules to, in all
	Adopted   []string      `json:"adopted,omitempty"`  // ids of routes whose adoption in the configuration was used
	Findings  []Finding     `json:"findings,omitempty"`
}

// Cut returns the pass with at most limit items in each list of plan and findings, the
// gravest findings first, and counts the others in Omitted.
func (p Pass) Cut(limit int) Pass {
	p.Plan.Changes = cut(p.Plan.Changes, limit, &p.Omitted)
	p.Plan.Held = cut(p.Plan.Held, limit, &p.Omitted)
	p.Plan.Conflicts = cut(p.Plan.Conflicts, limit, &p.Omitted)
	p.Findings = slices.Clone(p.Findings)
	slices.SortStableFunc(p.Findings, func(a, b Finding) int { return cmp.Compare(a.Severity.rank(), b.Severity.rank()) })
	p.Findings = cut(p.Findings, limit, &p.Omitted)
	return p
}

func cut[T any](list []T, limit int, omitted *int) []T {
	if len(list) <= limit {
		return list
	}
	*omitted += len(list) - limit
	return list[:limit:limit]
}

// HostLife is the leader's verdict on a host whose life the registry alone does not tell.
type HostLife struct {
	Instance InstanceID `json:"instance"`
	Life     Life       `json:"life"`
}

// Blocked is a host that is not ready though its routes are written: the cloud surely drops
// packets from or to its containers, or nobody can tell. Code is that of the finding which
// says why.
type Blocked struct {
	Instance InstanceID `json:"instance"`
	Code     Code       `json:"code"`
}

// TableUse is how full a route table is.
type TableUse struct {
	Table   TableID `json:"table"`
	Routes  int     `json:"routes"`            // custom routes in it
	Owned   int     `json:"owned"`             // of them, ours
	Foreign int     `json:"foreign"`           // of them, not ours
	Quota   int     `json:"quota"`             // routes it may hold
	History []Usage `json:"history,omitempty"` // one a day, the oldest first, eight at most
}

// Usage is how many routes a table held at some time.
type Usage struct {
	At     time.Time `json:"at"`
	Routes int       `json:"routes"`
}
