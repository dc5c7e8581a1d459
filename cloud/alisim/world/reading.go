package world

import (
	"fmt"
	"time"
)

// Behaviour is how a world behaves beyond what its seed says.
type Behaviour struct {
	TaskTime    time.Duration // of an asynchronous change, where a VPC has no time of its own
	UnknownTime time.Duration // for so long a new instance is no next hop
	Readings    Readings
}

// Reading is one way to read the API's documents.
type Reading string

// UnmarshalText reads one of the readings, or none.
func (r *Reading) UnmarshalText(text []byte) error {
	switch v := Reading(text); v {
	case "", Refuse, Allow, Clamp:
		*r = v
		return nil
	}
	return fmt.Errorf("reading %q is none of refuse, allow, clamp", text)
}

// The readings. Which of them a question knows is said there; the zero Reading is the
// simulator's own choice: the one that is harder on callers, unless clients are known to do
// otherwise in production.
const (
	Refuse Reading = "refuse"
	Allow  Reading = "allow"
	Clamp  Reading = "clamp" // pull the value into the range
)

// Readings are the questions that the API's documents leave open.
type Readings struct {
	LongPage    Reading `json:"longPage,omitempty"`    // MaxResult from 101 to 500: Clamp to 100 by default, Allow, Refuse
	Containing  Reading `json:"containing,omitempty"`  // a destination that contains a vSwitch: by default the single call allows and the batch refuses it; Allow, Refuse
	InService   Reading `json:"inService,omitempty"`   // a destination inside 100.64.0.0/10: Refuse by default, Allow
	PublicSpace Reading `json:"publicSpace,omitempty"` // a public destination outside the VPC's ranges and user CIDRs: Allow by default, Refuse
	HostBits    Reading `json:"hostBits,omitempty"`    // a destination with host bits: Refuse by default, Clamp to the network
	WrongHop    Reading `json:"wrongHop,omitempty"`    // delete with another next hop than the entry's: Refuse by default, Allow
	BatchQuota  Reading `json:"batchQuota,omitempty"`  // a batch beyond the quota: by default the surplus items fail; Refuse the whole call
	BatchForm   Reading `json:"batchForm,omitempty"`   // items of a batch in a form body: Allow by default, Refuse (not seen)
	IPv6Custom  Reading `json:"ipv6Custom,omitempty"`  // IPv6 entries in custom tables: Allow by default, Refuse
	PrimaryENI  Reading `json:"primaryEni,omitempty"`  // a primary interface as a next hop by its own id: Allow by default, Refuse
	NewEntryID  Reading `json:"newEntryId,omitempty"`  // a modified entry gets another id: Refuse (keeps it) by default, Allow
}
