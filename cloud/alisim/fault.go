package alisim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
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
	Fail     int    `json:"fail,omitempty"`
	FailCode string `json:"failCode,omitempty"`
	Failures Spoil  `json:"failures,omitempty"`

	// Edits are what a foreign writer does just before the call's work. With Every they are
	// made by the clock instead: first after that time, then Times in all, at no call.
	Edits []Edit        `json:"edits,omitempty"`
	Every time.Duration `json:"-"`
}

// Spoil is what a batch call does to its list of failures.
type Spoil string

// The ways to spoil a list of failures.
const (
	Short      Spoil = "short"      // the last one is missing
	Duplicated Spoil = "duplicated" // the first one is there twice, in the place of the last where there are several
	Permuted   Spoil = "permuted"   // the other way round
)

// Armed is a fault that was armed, and what became of it.
type Armed struct {
	Fault
	Hits int `json:"hits"` // calls that it struck
	Left int `json:"left"` // calls that it will strike yet; negative: every one
}

// armed is a fault at work.
type armed struct {
	Fault
	hits, left int
	skip       int
	due        time.Time // of the next edits, with Every
}

// breaks reports whether the call gets another answer than its own.
func (f Fault) breaks() bool { return f.Code != "" || f.HTML || f.Reset || f.Drop }

// Fault arms a fault and tells its name; one of the same name is replaced. Several may be
// armed; each call meets the first that fits, in the order they were armed. Calls that are
// not signed well, are not permitted or exceed a rate meet none. A fault that contradicts
// itself is a mistake of the program that arms it, and panics.
func (s *Sim) Fault(f Fault) string {
	if bad := f.wrong(); bad != "" {
		panic("fault: " + bad)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed++
	if f.Name == "" {
		f.Name = fmt.Sprintf("fault-%d", s.armed)
	}
	f.Edits = slices.Clone(f.Edits)
	a := &armed{Fault: f, left: f.Times, skip: f.Skip, due: time.Now().Add(f.Every)}
	if f.Times == 0 {
		a.left = 1
	}
	s.disarm(f.Name)
	s.faults = append(s.faults, a)
	if f.Every > 0 {
		s.wake() // whoever waits for the clock must learn of it
	}
	return f.Name
}

// Faults lists the faults that were armed and not removed, in their order, those that are
// used up too.
func (s *Sim) Faults() []Armed {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	return mapped(s.faults, func(a *armed) Armed { return Armed{a.Fault, a.hits, a.left} })
}

// Hits is how often a fault struck; 0 also of one that is not there.
func (s *Sim) Hits(name string) int {
	for _, a := range s.Faults() {
		if a.Name == name {
			return a.Hits
		}
	}
	return 0
}

// RemoveFault disarms a fault and reports whether there was one.
func (s *Sim) RemoveFault(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disarm(name)
}

// ClearFaults disarms every fault.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Sim) disarm(name string) bool {
	before := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, func(a *armed) bool { return a.Name == name })
	return len(s.faults) < before
}

// meet finds the fault for a call and uses it up. The caller holds mu.
func (s *Sim) meet(c *call) Fault {
	for _, a := range s.faults {
		switch {
		case a.left == 0, a.Every > 0, a.Action != "" && a.Action != c.action, !a.fits(c):
		case a.skip > 0:
			a.skip--
		default:
			a.left--
			a.hits++
			return a.Fault
		}
	}
	return Fault{}
}

func (f Fault) fits(c *call) bool {
	for name, value := range f.Match {
		if c.params[name] != value {
			return false
		}
	}
	return true
}

// answer is the fault's answer in place of the call's own.
func (f Fault) answer(c *call) answer {
	switch {
	case f.Reset:
		return answer{reset: true}
	case f.Drop:
		return answer{drop: true}
	case f.HTML && f.Status == 0:
		return answer{status: http.StatusBadGateway, html: true}
	case f.HTML:
		return answer{status: f.Status, html: true}
	}
	r := refuse(f.Code)
	r.status = statusOf(c, f.Code, r.status)
	if f.Status != 0 {
		r.status = f.Status
	}
	r.retryAfter = f.RetryAfter
	if f.Code == "Forbidden.RAM" {
		r.denied = c.action
	}
	return answer{status: r.status, bad: r}
}
