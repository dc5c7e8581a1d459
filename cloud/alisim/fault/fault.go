// Package fault holds what goes wrong on demand: with calls, with their answers, and with the
// world by a foreign writer's hand.
package fault

import (
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
)

// Fault is something that goes wrong with the next calls of an action. Zero fields ask for
// nothing: a Fault that only delays lets the call through, one that only sticks too.
type Fault struct {
	Name       string            `json:"name,omitempty"`    // for Hits and RemoveFault; default "fault-1" and so on
	Match      map[string]string `json:"match,omitempty"`   // parameters that the call must have, such as RouteTableId
	Action     string            `json:"action,omitempty"`  // the action it hits; empty: every one
	Skip       int               `json:"skip,omitempty"`    // calls of the action that pass before the first is hit
	Times      int               `json:"times,omitempty"`   // calls that are hit; 0 means 1, negative means every one until it is removed
	Delay      time.Duration     `json:"-"`                 // wait this long before anything else
	Code       string            `json:"code,omitempty"`    // answer with this code
	Status     int               `json:"status,omitempty"`  // with this HTTP status; 0: the one the code is known for
	RetryAfter time.Duration     `json:"-"`                 // told in x-acs-retry-after, with a Code
	HTML       bool              `json:"html,omitempty"`    // answer with Status (default 502) and a page that is no JSON
	Reset      bool              `json:"reset,omitempty"`   // answer nothing and reset the connection
	Drop       bool              `json:"drop,omitempty"`    // answer nothing and close the connection
	After      bool              `json:"after,omitempty"`   // do the work first, then answer with Code, HTML, Reset or Drop
	Nothing    bool              `json:"nothing,omitempty"` // answer as if the work were done, and do nothing
	Stick      bool              `json:"stick,omitempty"`   // what a create makes stays Pending for ever
	Vanish     bool              `json:"vanish,omitempty"`  // what a create makes is gone when its task ends

	// What is wrong with a list: Hide leaves out so many of its elements (of route entries, so
	// many custom ones), all when negative; HidePage leaves out all of the page that is asked
	// for, though the next one follows.
	Hide     int  `json:"hide,omitempty"`
	HidePage bool `json:"hidePage,omitempty"`

	// What is wrong with a batch: the last Fail items fail, with FailCode (default
	// VPC_ROUTE_ENTRY_STATUS_ERROR) or, with After, they are told to have failed and did not.
	// Failures spoils the list of failures and leaves the count as it is.
	Fail     int        `json:"fail,omitempty"`
	FailCode string     `json:"failCode,omitempty"`
	Failures Corruption `json:"failures,omitempty"`

	// Edits are what a foreign writer does just before the call's work. With Every they are
	// made by the clock instead: first after that time, then Times in all, at no call.
	Edits []world.Edit  `json:"edits,omitempty"`
	Every time.Duration `json:"-"`
}

// Corruption is what a batch call does to its list of failures.
type Corruption string

// The ways to spoil a list of failures.
const (
	Short      Corruption = "short"      // the last one is missing
	Duplicated Corruption = "duplicated" // the first one is there twice, in the place of the last where there are several
	Permuted   Corruption = "permuted"   // the other way round
)

// Breaks reports whether the call gets another answer than its own.
func (f Fault) Breaks() bool { return f.Code != "" || f.HTML || f.Reset || f.Drop }
