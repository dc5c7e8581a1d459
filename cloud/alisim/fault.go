package alisim

import (
	"context"
	"net/http"
	"time"
)

// Fault is something that goes wrong with the next calls of an action. Zero fields ask for
// nothing: a Fault that only delays lets the call through, one that only sticks too.
type Fault struct {
	Action     string        // the action it hits; empty: every one
	Skip       int           // calls of the action that pass before the first is hit
	Times      int           // calls that are hit; 0 means 1, negative means every one until ClearFaults
	Delay      time.Duration // wait this long before anything else
	Code       string        // answer with this code
	Status     int           // with this HTTP status; 0: the one the code is known for
	RetryAfter time.Duration // told in x-acs-retry-after, with a Code
	HTML       bool          // answer with Status (default 502) and a page that is no JSON
	Reset      bool          // answer nothing and drop the connection
	After      bool          // do the work first, then answer with Code, HTML or Reset
	Stick      bool          // what a create makes stays Pending for ever
	Vanish     bool          // what a create makes is gone when its task ends
}

// breaks reports whether the call gets another answer than its own.
func (f Fault) breaks() bool { return f.Code != "" || f.HTML || f.Reset }

// Fault arms a fault. Several may be armed; each call meets the first that fits, in the
// order they were armed. Calls that are not signed well meet none.
func (s *Sim) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// ClearFaults disarms every fault.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// meet finds the fault for a call and uses it up. The caller holds mu.
func (s *Sim) meet(action string) Fault {
	for i, f := range s.faults {
		if f.Action != "" && f.Action != action {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return *f
	}
	return Fault{}
}

// answer is the fault's answer in place of the call's own.
func (f Fault) answer(action string) answer {
	switch {
	case f.Reset:
		return answer{reset: true}
	case f.HTML && f.Status == 0:
		return answer{status: http.StatusBadGateway, html: true}
	case f.HTML:
		return answer{status: f.Status, html: true}
	}
	r := refuse(f.Code)
	if f.Status != 0 {
		r.status = f.Status
	}
	r.retryAfter = f.RetryAfter
	if f.Code == "Forbidden.RAM" {
		r.denied = action
	}
	return refusedWith(r)
}

// wait sleeps for the fault's delay, or until the caller hung up.
func (f Fault) wait(ctx context.Context) error {
	if f.Delay <= 0 {
		return nil
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
