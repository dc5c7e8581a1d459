package alisim

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"
)

// Options say how the simulated cloud behaves. All of them may be changed later, see
// [Sim.Tune].
type Options struct {
	// TaskTime is how long an asynchronous change takes, where a VPC has no task time of its
	// own. With 0 a change is done at once: the next request finds it Available.
	TaskTime time.Duration

	// ReadTime and WriteTime are how long the cloud takes to answer: actions that begin with
	// Describe, Get or List, and all others. The work is done at the end of that time, so an
	// answer is fresh, and a change's task begins when the call returns.
	ReadTime, WriteTime time.Duration

	// UnknownTime is how long the VPC does not know an instance that AddInstance started:
	// until then it is refused as a next hop with IllegalParam.NextHopId.
	UnknownTime time.Duration

	// TokenMemory is how long a ClientToken is remembered (0: 24 h), PageTime how long a
	// NextToken holds (0: 10 min), SessionTime how long the credentials of an instance's RAM
	// role do (0: 6 h). None of these is documented.
	TokenMemory, PageTime, SessionTime time.Duration

	// Rates are calls per minute by action, counted from the first call of a minute; those
	// above get Throttling.User with x-acs-retry-after. An action without a rate has none.
	Rates map[string]int

	// Readings choose where the API's documents contradict one another or are silent.
	Readings Readings

	// LongestURI is the longest request line in bytes, above which the gateway answers an HTML
	// 414 (0: 16 KiB; the cloud's limit is not documented, 9.5 KB is known to pass).
	LongestURI int

	// LocalInstance is who callers from loopback are to the metadata service, where no instance
	// has their address. Empty: nobody.
	LocalInstance string

	// Strict refuses unsigned requests even when the seed holds no keys. With keys in the
	// seed signatures are always verified.
	Strict bool

	// Log gets one debug line for each request. nil: none.
	Log *slog.Logger

	// RequestLog gets each [Request] as a line of JSON. nil: none. A write that fails is not
	// repeated.
	RequestLog io.Writer
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

const (
	defaultURI     = 16 << 10
	defaultSession = 6 * time.Hour
	defaultMemory  = 24 * time.Hour
	defaultPage    = 10 * time.Minute
)

// complete fills in the defaults.
func (o Options) complete() Options {
	o.TokenMemory = cmp.Or(max(0, o.TokenMemory), defaultMemory)
	o.PageTime = cmp.Or(max(0, o.PageTime), defaultPage)
	o.SessionTime = cmp.Or(max(0, o.SessionTime), defaultSession)
	o.LongestURI = cmp.Or(max(0, o.LongestURI), defaultURI)
	o.Rates = maps.Clone(o.Rates)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Options are the options as they are now, with every default filled in.
func (s *Sim) Options() Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.opts
	out.Rates = maps.Clone(out.Rates)
	return out
}

// Tune changes how the cloud behaves from the next request on. Tasks that run keep their
// time.
func (s *Sim) Tune(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.opts
	o.Rates = maps.Clone(o.Rates)
	change(&o)
	s.opts = o.complete()
	s.world.taskTime, s.world.unknownTime = s.opts.TaskTime, s.opts.UnknownTime
	s.world.readings = s.opts.Readings
}
