package alisim

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane/cloud/alisim/identity"
	"github.com/sealane/sealane/cloud/alisim/ram"
)

// accessKey is what the simulator knows of a key.
type accessKey struct {
	secret, user string
	policy       *ram.Policy // nil permits everything
	disabled     bool
}

// Sim is a simulated region. All methods may be called from several goroutines.
type Sim struct {
	signer          func() (*identity.Signer, error)
	region, account string // of the world, which never changes them

	mu       sync.Mutex // guards all below
	keys     map[string]accessKey
	roles    map[string]*ram.Policy // nil permits everything
	opts     Options
	world    *world
	nonces   nonces
	tokens   map[string]remembered   // ClientToken memory
	running  map[string]*call        // calls under way, by ClientToken
	sessions map[string]session      // temporary keys by id
	imds     map[string]metadataPass // metadata tokens
	windows  map[string]window       // of the rates, by action
	faults   []*armed
	armed    int // faults that were ever armed
	requests []Request
	logged   int // bytes of all requests
	counts   map[string]int
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
	opts = opts.complete()
	s := &Sim{
		opts:     opts,
		region:   seed.Region,
		account:  seed.Account,
		signer:   sync.OnceValues(func() (*identity.Signer, error) { return identity.New(time.Now()) }),
		keys:     map[string]accessKey{},
		roles:    map[string]*ram.Policy{},
		world:    newWorld(seed, opts, time.Now()),
		nonces:   nonces{seen: map[string]time.Time{}},
		tokens:   map[string]remembered{},
		running:  map[string]*call{},
		sessions: map[string]session{},
		imds:     map[string]metadataPass{},
		windows:  map[string]window{},
		counts:   map[string]int{},
		changed:  make(chan struct{}),
	}
	for _, k := range seed.Keys {
		p, _ := k.Policy.parse() // checked with the seed
		s.keys[k.ID] = accessKey{k.Secret, k.User, p, k.Disabled}
	}
	for _, r := range seed.Roles {
		s.roles[r.Name], _ = r.Policy.parse()
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

// Settles is when the next running task ends or a foreign writer acts; ok is false when
// neither is to come.
func (s *Sim) Settles() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok = s.world.settles()
	for _, f := range s.faults {
		if f.Every > 0 && f.left != 0 && (!ok || f.due.Before(at)) {
			at, ok = f.due, true
		}
	}
	return at, ok
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
	out.Tags = maps.Clone(v.Tags)
	for _, sw := range v.vswitches {
		c := sw.VSwitch
		c.Table, c.Tags = sw.table.ID, maps.Clone(sw.Tags)
		out.VSwitches = append(out.VSwitches, c)
	}
	for _, t := range v.tables {
		c := t.Table
		c.Tags = maps.Clone(t.Tags)
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
	changed := s.world.settle(now)
	if s.disturb(now) || changed {
		s.wake()
	}
}

// wake tells those who wait for a change. The caller holds mu.
func (s *Sim) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}
