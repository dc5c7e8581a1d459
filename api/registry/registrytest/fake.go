package registrytest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sealane/sealane/api"
)

// Fake is a registry in memory. It behaves as the real one does, which Run holds it to,
// and can be told to fail, to lag, to lose leases and to hold unreadable records. It
// may be used within a synctest bubble.
type Fake struct {
	mu         sync.Mutex // guards everything below
	revision   int64
	hosts      map[api.InstanceID]api.Report
	written    map[api.InstanceID]int64 // revisions of hosts
	alive      map[api.InstanceID]*lease
	seen       map[api.InstanceID]bool
	claims     map[netip.Prefix]api.Claim
	routes     map[netip.Prefix]api.RouteStatus
	config     *api.Config
	pass       *api.Pass
	applied    []api.Applied // oldest first
	unreadable map[string]bool
	term       api.Term
	failure    error
	lag        *api.Snapshot
	watchers   map[chan struct{}][]api.Area
}

// NewFake returns an empty registry.
func NewFake() *Fake {
	return &Fake{
		hosts:      map[api.InstanceID]api.Report{},
		written:    map[api.InstanceID]int64{},
		alive:      map[api.InstanceID]*lease{},
		seen:       map[api.InstanceID]bool{},
		claims:     map[netip.Prefix]api.Claim{},
		routes:     map[netip.Prefix]api.RouteStatus{},
		unreadable: map[string]bool{},
		watchers:   map[chan struct{}][]api.Area{},
	}
}

// changesKept is how many applied changes a registry remembers.
const changesKept = 1000

// Fail makes every call return the error until it is nil again. Presence runs out meanwhile.
func (f *Fake) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
}

// Empty removes all records of hosts and all claims, as when etcd was put back from nothing.
func (f *Fake) Empty() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.hosts)
	clear(f.claims)
	clear(f.seen)
	f.changed(api.AreaHosts)
}

// Lag freezes what Snapshot returns and silences watches; lifting it wakes all of them.
func (f *Fake) Lag(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lag = nil
	if on {
		s := f.snapshot()
		f.lag = &s
		return
	}
	f.wake(areas()...)
}

// Lead starts a new term, which ends the one before.
func (f *Fake) Lead(name string) api.Term {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision++
	f.term = api.Term{Key: "/sealane/fake/v1/leader/" + name, Revision: f.revision, Leader: name}
	return f.term
}

// Garble replaces the record at a key such as "hosts/i-a", "subnets/10.0.0.0_24" or
// "config" by one that cannot be decoded: garbage, or one of a newer version.
func (f *Fake) Garble(key string, newer bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unreadable[key] = newer
	area, name, _ := strings.Cut(key, "/")
	prefix, _ := netip.ParsePrefix(strings.Replace(name, "_", "/", 1))
	switch area {
	case "hosts":
		delete(f.hosts, api.InstanceID(name))
		f.changed(api.AreaHosts)
	case "subnets":
		delete(f.claims, prefix)
		f.changed(api.AreaHosts)
	case "routes":
		delete(f.routes, prefix)
		f.changed(api.AreaRoutes)
	case "config":
		f.config = nil
		f.changed(api.AreaConfig)
	case "pass":
		f.pass = nil
		f.changed(api.AreaPass)
	}
}

// Mend removes an unreadable record.
func (f *Fake) Mend(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.unreadable, key)
	f.changed(areas()...)
}

// Snapshot is the whole registry.
func (f *Fake) Snapshot(ctx context.Context) (api.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(ctx, "read the registry"); err != nil {
		return api.Snapshot{}, err
	}
	if f.lag != nil {
		return *f.lag, nil
	}
	return f.snapshot(), nil
}

func (f *Fake) snapshot() api.Snapshot {
	s := api.Snapshot{Revision: f.revision, Config: clone(f.config), Pass: clone(f.pass)}
	for _, p := range slices.SortedFunc(maps.Keys(f.claims), api.ComparePrefixes) {
		s.Claims = append(s.Claims, f.claims[p])
	}
	for _, p := range slices.SortedFunc(maps.Keys(f.routes), api.ComparePrefixes) {
		s.Routes = append(s.Routes, clone(f.routes[p]))
	}
	for _, id := range slices.Sorted(maps.Keys(f.hosts)) {
		h := api.Host{Report: clone(f.hosts[id]), Life: f.life(id), Revision: f.written[id]}
		if l := f.alive[id]; l != nil {
			h.Since = l.since
		}
		for _, c := range s.Claims {
			if c.Instance == id {
				h.Claims = append(h.Claims, c)
				h.Revision = max(h.Revision, c.Revision)
			}
		}
		s.Hosts = append(s.Hosts, h)
	}
	for _, key := range slices.Sorted(maps.Keys(f.unreadable)) {
		problem := "not a record"
		if f.unreadable[key] {
			problem = "version 2, only 1 is known here"
		}
		s.Unreadable = append(s.Unreadable, api.Unreadable{Key: "/sealane/fake/v1/" + key, Problem: problem})
	}
	return s
}

// Watch wakes at the start and after every change in the areas; with none given, in any.
func (f *Fake) Watch(ctx context.Context, in ...api.Area) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(in) == 0 {
		in = areas()
	}
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	f.watchers[wake] = in
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, wake)
		close(wake)
	})
	return wake
}

// changed counts a write and wakes who watches the areas.
func (f *Fake) changed(in ...api.Area) {
	f.revision++
	if f.lag == nil {
		f.wake(in...)
	}
}

func (f *Fake) wake(in ...api.Area) {
	for wake, watched := range f.watchers {
		if !slices.ContainsFunc(in, func(a api.Area) bool { return slices.Contains(watched, a) }) {
			continue
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (f *Fake) usable(ctx context.Context, doing string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if f.failure != nil {
		return fmt.Errorf("%s: %w", doing, f.failure)
	}
	return nil
}

// String prints every record on a line of its own, sorted.
func (f *Fake) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.snapshot()
	var b strings.Builder
	if s.Config != nil {
		fmt.Fprintf(&b, "config %s %s\n", s.Config.Policy, s.Config.Pools)
	}
	for _, h := range s.Hosts {
		fmt.Fprintf(&b, "host %s %s %s\n", h.Label(), h.IP, h.Life)
		for _, n := range h.Subnets {
			fmt.Fprintf(&b, "subnet %s %s of %s\n", n.Prefix, n.Bridge, h.Instance)
		}
	}
	for _, c := range s.Claims {
		fmt.Fprintf(&b, "claim %s %s\n", c.Prefix, c.Instance)
	}
	for _, r := range s.Routes {
		fmt.Fprintf(&b, "route %s %s %s %s\n", r.Destination, r.Host, r.Stage, r.Reason)
	}
	for _, u := range s.Unreadable {
		fmt.Fprintf(&b, "unreadable %s: %s\n", u.Key, u.Problem)
	}
	for _, a := range f.applied {
		fmt.Fprintf(&b, "applied %s %s\n", a.Change, a.Error)
	}
	return b.String()
}

// prefixKey is the key of a record about a prefix; IPv6 is written in full.
func prefixKey(area string, p netip.Prefix) string {
	return area + p.Addr().StringExpanded() + "_" + strconv.Itoa(p.Bits())
}

func areas() []api.Area {
	return []api.Area{api.AreaHosts, api.AreaRoutes, api.AreaConfig, api.AreaPass}
}

// clone copies a value the way it would travel, as JSON.
func clone[T any](v T) T {
	var to T
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &to)
	}
	if err != nil {
		panic(fmt.Sprintf("registrytest: %T does not survive JSON: %v", v, err))
	}
	return to
}
