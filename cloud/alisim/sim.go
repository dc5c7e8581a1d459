package alisim

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane/api"
)

// Options say how the simulated cloud behaves.
type Options struct {
	// TaskTime is how long an asynchronous change takes. With 0 a change is done at once: the
	// next request finds it Available.
	TaskTime time.Duration

	// Strict refuses unsigned requests even when the seed holds no keys. With keys in the
	// seed signatures are always verified.
	Strict bool

	// LenientPage takes a MaxResult up to 500 where the API documents 100; Alibaba's own
	// cloud controller asks for that in production.
	LenientPage bool

	// SessionTime is how long the credentials of an instance's RAM role hold; 0 means 6 h.
	SessionTime time.Duration

	// Log gets one debug line for each request. nil: none.
	Log *slog.Logger
}

// Sim is a simulated region. All methods may be called from several goroutines.
type Sim struct {
	opts Options
	keys map[string]string // id to secret; never changes

	mu       sync.Mutex // guards all below
	world    *world
	nonces   nonces
	tokens   map[string]remembered   // ClientToken memory
	sessions map[string]session      // temporary keys by id
	imds     map[string]metadataPass // metadata tokens
	faults   []*Fault
	requests []Request
	seq      int
	changed  chan struct{} // closed and replaced at each change
}

// New starts a simulator. It returns an error of kind api.ErrInvalid that names every
// mistake in the seed.
func New(seed Seed, opts Options) (*Sim, error) {
	seed, err := seed.complete()
	if err != nil {
		return nil, err
	}
	if opts.SessionTime <= 0 {
		opts.SessionTime = 6 * time.Hour
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sim{
		opts:     opts,
		keys:     map[string]string{},
		world:    newWorld(seed, opts.TaskTime, time.Now()),
		nonces:   nonces{seen: map[string]time.Time{}},
		tokens:   map[string]remembered{},
		sessions: map[string]session{},
		imds:     map[string]metadataPass{},
		changed:  make(chan struct{}),
	}
	for _, k := range seed.Keys {
		s.keys[k.ID] = k.Secret
	}
	return s, nil
}

// Changed returns a channel that is closed at the next change of routes, instances or the
// association of vSwitches with tables. Take it before reading, then wait for it. A task
// that ends by the clock closes it only when somebody looks; see [Sim.Settles].
func (s *Sim) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Settles is when the next running task ends; ok is false when none runs.
func (s *Sim) Settles() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.settles()
}

// Routes lists a table's entries in order of creation, system entries included. It is nil
// for a table that does not exist.
func (s *Sim) Routes(table string) []Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	t := s.world.table(table)
	if t == nil {
		return nil
	}
	return t.routes()
}

// Snapshot is the present state, without keys and with every default filled in. Tables
// hold their custom entries only. The caller owns it.
func (s *Sim) Snapshot() Seed {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	w := s.world
	out := Seed{Region: w.region, Zone: w.zone, Account: w.account}
	for _, v := range w.vpcs {
		out.VPCs = append(out.VPCs, v.snapshot())
	}
	for _, i := range w.instances {
		out.Instances = append(out.Instances, i.clone())
	}
	return out
}

func (v *vpc) snapshot() VPC {
	out := v.VPC
	out.Secondary, out.UserCIDRs = slices.Clone(v.Secondary), slices.Clone(v.UserCIDRs)
	for _, sw := range v.vswitches {
		c := sw.VSwitch
		c.Table = sw.table.ID
		out.VSwitches = append(out.VSwitches, c)
	}
	for _, t := range v.tables {
		c := t.Table
		c.Routes = slices.DeleteFunc(t.routes(), func(r Route) bool { return r.System })
		out.Tables = append(out.Tables, c)
	}
	for _, g := range v.groups {
		out.SecurityGroups = append(out.SecurityGroups, g.clone())
	}
	return out
}

func (t *table) routes() []Route {
	out := make([]Route, 0, len(t.entries))
	for _, e := range t.entries {
		out = append(out, e.Route)
	}
	return out
}

// settle lets time pass in the model. The caller holds mu.
func (s *Sim) settle(now time.Time) {
	if s.world.settle(now) {
		s.wake()
	}
}

// wake tells those who wait for a change. The caller holds mu.
func (s *Sim) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// requestLimit bounds the log of requests, so that a simulator may run for weeks.
const requestLimit = 20000

// Request is what was asked and answered once.
type Request struct {
	Seq     int               `json:"seq"` // from 1, never reused
	At      time.Time         `json:"at"`
	ID      string            `json:"id"` // the RequestId of the answer
	Action  string            `json:"action"`
	Version string            `json:"version"`
	Key     string            `json:"key"`    // access key id
	Params  map[string]string `json:"params"` // without signature and security token
	Status  int               `json:"status"` // HTTP; 0 when the connection was dropped
	Code    string            `json:"code"`   // of an error, else empty
}

// Requests lists the API requests so far, oldest first, those that failed too. The log
// is bounded: only the last 10000 are sure to be there.
func (s *Sim) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Reset forgets the requests so far; numbers go on.
func (s *Sim) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func (s *Sim) record(c *call, id string, a answer) {
	params := maps.Clone(c.params)
	for _, secret := range [...]string{"Signature", "SecurityToken", "AccessKeyId"} {
		delete(params, secret)
	}
	r := Request{At: c.now, ID: id, Action: c.action, Version: c.version, Key: c.key, Params: params, Status: a.status}
	if a.bad != nil {
		r.Code = a.bad.code
	}
	s.opts.Log.Debug("request answered", api.KeyVerb, r.Action, api.KeyReason, r.Code, api.KeyRequest, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	r.Seq = s.seq
	if len(s.requests) >= requestLimit {
		s.requests = slices.Clone(s.requests[requestLimit/2:])
	}
	s.requests = append(s.requests, r)
}
