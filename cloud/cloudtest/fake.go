package cloudtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Fake is a cloud in memory. It is honest: it keeps the rules of a real one and refuses
// nonsense, until Break tells it to misbehave. Its zero value is of no use; call New.
type Fake struct {
	writing chan struct{} // holds one token: at most one Apply runs

	mu        sync.Mutex // guards all below
	network   cloud.Network
	groups    map[api.GroupID]Group
	instances map[api.InstanceID]cloud.Instance
	routes    map[api.RouteKey]api.Route
	lastID    int // number in the id of the route created last
	faults    Faults
	sent      []api.Change
}

var _ cloud.Tables = (*Fake)(nil)

// Faults are the ways in which a Fake can misbehave. A number counts down as the fault
// happens; zero values are good behaviour.
type Faults struct {
	Throttled int           // reads or changes that are still answered ErrThrottled
	Failing   int           // calls that still fail with ErrUnreachable before they do anything
	Busy      int           // changes that still meet one in flight by somebody else: ErrBusy
	Lost      int           // changes that are made but still answered ErrUnknown
	Lies      int           // changes that are still reported done but are not made
	Hidden    int           // routes that every listing leaves out, from its end
	Denied    bool          // everything is answered ErrDenied
	Slow      time.Duration // each call takes this long, or until its context ends
}

// New returns a cloud that holds this world.
func New(w World) *Fake {
	f := &Fake{
		writing: make(chan struct{}, 1), network: clone(w.Network),
		groups: map[api.GroupID]Group{}, instances: map[api.InstanceID]cloud.Instance{}, routes: map[api.RouteKey]api.Route{},
	}
	for _, g := range w.Groups {
		f.SetGroup(g)
	}
	for _, i := range w.Instances {
		f.AddInstance(i)
	}
	return f
}

// Break makes the cloud misbehave from now on; Break(Faults{}) heals it.
func (f *Fake) Break(faults Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

// Sent returns every change that reached the cloud, in order, also those it refused.
func (f *Fake) Sent() []api.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

// Network implements cloud.Tables.
func (f *Fake) Network(ctx context.Context) (cloud.Network, error) {
	if err := f.call(ctx, "read network"); err != nil {
		return cloud.Network{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := clone(f.network)
	for i := range n.Tables {
		n.Tables[i].Used = len(f.in(n.Tables[i].ID))
	}
	return n, nil
}

// Instances implements cloud.Tables.
func (f *Fake) Instances(ctx context.Context, ids []api.InstanceID) ([]cloud.Instance, error) {
	if err := f.call(ctx, "read instances"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var known []cloud.Instance
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if i, ok := f.instances[id]; ok {
			i.Interface, i.Others = f.described(i.Interface), slices.Clone(i.Others)
			for n, o := range i.Others {
				i.Others[n] = f.described(o)
			}
			slices.SortFunc(i.Others, func(a, b cloud.Interface) int { return cmp.Compare(a.ID, b.ID) })
			known = append(known, i)
		}
	}
	return known, nil
}

// Routes implements cloud.Tables.
func (f *Fake) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	if err := f.call(ctx, "list routes of "+string(table)); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.table(table); !ok {
		return nil, fmt.Errorf("list routes of %s: %w", table, api.ErrNotFound)
	}
	routes := f.in(table)
	return routes[:max(0, len(routes)-f.faults.Hidden)], nil
}

// call is what every call goes through: it takes its time and may fail.
func (f *Fake) call(ctx context.Context, what string) error {
	f.mu.Lock()
	slow := f.faults.Slow
	f.mu.Unlock()
	if slow > 0 {
		timer := time.NewTimer(slow)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.faults.Denied:
		return fmt.Errorf("%s: %w", what, api.ErrDenied)
	case spend(&f.faults.Failing):
		return fmt.Errorf("%s: %w", what, api.ErrUnreachable)
	case !strings.HasPrefix(what, "apply") && spend(&f.faults.Throttled):
		return fmt.Errorf("%s: %w", what, api.ErrThrottled)
	}
	return nil
}

// spend takes one of n, if there is one.
func spend(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

func (f *Fake) table(id api.TableID) (cloud.Table, bool) {
	i := slices.IndexFunc(f.network.Tables, func(t cloud.Table) bool { return t.ID == id })
	if i < 0 {
		return cloud.Table{}, false
	}
	return f.network.Tables[i], true
}

func (f *Fake) in(table api.TableID) []api.Route {
	var routes []api.Route
	for key, r := range f.routes {
		if key.Table == table {
			routes = append(routes, r)
		}
	}
	slices.SortFunc(routes, api.CompareRoutes)
	return routes
}

func clone(n cloud.Network) cloud.Network {
	n.CIDRs, n.VSwitches, n.Tables = slices.Clone(n.CIDRs), slices.Clone(n.VSwitches), slices.Clone(n.Tables)
	return n
}

// String prints the whole cloud, sorted: a line for each table, route and instance.
func (f *Fake) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "vpc %s %s\n", f.network.VPC, strings.Trim(fmt.Sprint(f.network.CIDRs), "[]"))
	for _, v := range f.network.VSwitches {
		fmt.Fprintf(&b, "vswitch %s %s table %s\n", v.ID, v.CIDR, v.Table)
	}
	for _, t := range f.network.Tables {
		routes := f.in(t.ID)
		fmt.Fprintf(&b, "table %s %d of %d\n", t.ID, len(routes), t.Quota)
		for _, r := range routes {
			fmt.Fprintf(&b, "  %s -> %s %s\n", r.Destination, r.NextHop, owner(r.Mark))
		}
	}
	for _, id := range sortedKeys(f.instances) {
		i := f.instances[id]
		fmt.Fprintf(&b, "instance %s %s %s %s\n", i.ID, i.Status, i.IP, i.VSwitch)
	}
	return b.String()
}

func owner(m api.Mark) string {
	if m.IsZero() {
		return "foreign"
	}
	return m.Name()
}
