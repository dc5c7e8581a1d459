// Package agent tends one host: it keeps the host forwarding between our subnets, and
// reports the host's own subnets to the registry. Three tasks run side by side. One tends
// the host, and goes on with the last known registry when etcd is away. One follows the
// registry and writes the report when there is news. One holds the lease that shows the
// agent as alive. What they decide is in pure functions: wish, diagnose, describe.
package agent

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/steady"
	"github.com/sealane/sealane/api"
)

// Host is the machine the agent tends; package agent/host/machine has the real one.
type Host interface {
	Traffic
	// Facts reads the host; ip is the host's private address.
	Facts(ctx context.Context, ip netip.Addr) (host.Facts, error)
	// Apply brings the host to the wish and says what it had to change.
	Apply(ctx context.Context, w host.Wish) host.Outcome
	// Watch wakes when something changed that Apply put in place or Facts tells. It may miss
	// changes, and closes when ctx ends.
	Watch(ctx context.Context) <-chan struct{}
}

// Traffic tells what the kernel does with packets.
type Traffic interface {
	// Rules are all firewall rules of the host.
	Rules(ctx context.Context) (firewall.Dump, error)
	// Path is which way packets go, by the routes, rules and links of the host.
	Path(ctx context.Context, q host.PathQuestion) (host.Path, error)
}

// Registry is what the agent needs of the registry; package api/registry keeps it in etcd.
type Registry interface {
	// Snapshot reads everything at one revision.
	Snapshot(ctx context.Context) (api.Snapshot, error)
	// Watch wakes when one of the areas changes; it ends with ctx.
	Watch(ctx context.Context, areas ...api.Area) <-chan struct{}
	// Report writes the host's record if there is news, claims the subnets it names and
	// returns those that were refused.
	Report(ctx context.Context, report api.Report) ([]api.Conflict, error)
	// KeepAlive shows the agent as alive until ctx ends, whatever happens to etcd.
	KeepAlive(ctx context.Context, id api.InstanceID, bootID string, ttl time.Duration) error
}

// Interfaces tells of this machine's network interfaces in the cloud, by their hardware
// addresses; package cloud/metadata has the real one.
type Interfaces interface {
	// Interface is the cloud's id of an interface.
	Interface(ctx context.Context, mac string) (id string, err error)
	// InterfaceVSwitch is the id of the vSwitch that it is on.
	InterfaceVSwitch(ctx context.Context, mac string) (id string, err error)
}

// Memory outlives this process and the machine's boot; package agent/host/machine has the real one.
type Memory interface {
	// RecallPeers returns what was last remembered; the zero value if nothing was.
	RecallPeers() (host.Peers, error)
	// RememberPeers replaces it durably.
	RememberPeers(p host.Peers) error
}

// Identity says which host this is.
type Identity struct {
	Instance api.InstanceID
	Name     string // for people
	Region   string
	VPC      api.VPCID
	VSwitch  api.VSwitchID
	IP       netip.Addr // private address in the VPC
	MAC      string     // hardware address of the primary interface, if IP may be on another; empty: it is not
}

// Config sets an agent up.
type Config struct {
	Cluster  string // the registry's
	Identity Identity
	Serve    Serve         // which networks others may reach
	Strict   bool          // and of their containers, published ports only
	Leave    []host.Part   // changes that are switched off
	BootID   string        // names this boot of the machine
	TTL      time.Duration // how long the host counts as alive after its agent was last heard
	Poll     time.Duration // longest time between two looks at the host and at the registry
	Version  string        // of this program

	Memory     Memory     // what the registry said, while it is away at the start; nil: nothing
	Interfaces Interfaces // asked when IP is not on the primary interface; not used without Identity.MAC
}

// Waits that nobody needs to set.
const (
	quiet = 50 * time.Millisecond // between two passes over the host
	retry = 5 * time.Second       // between two tries to reach the registry
)

// Agent tends a host. Make it with New and call Run once.
type Agent struct {
	config   Config
	host     Host
	registry Registry
	metrics  *Metrics
	log      *slog.Logger

	snapshot   atomic.Pointer[api.Snapshot] // the last one known; nil before the first
	view       atomic.Pointer[view]         // of the last pass; nil before the first
	contention steady.Contention            // used by the task that tends the host only
	swing      steady.Swing                 // likewise
	moment     steady.Moment                // likewise
	check      ruleCheck                    // likewise
	uplink     uplink                       // likewise
	memory     memory                       // likewise, once running
	before     []api.InstanceID             // hosts that were in the registry when a former agent last looked
	tendNow    chan struct{}                // wakes the task that tends the host
	keepNow    chan struct{}                // wakes the task that follows the registry
	ready      chan struct{}                // closed once the registry has our report
}

// view is what a pass found and reached.
type view struct {
	facts    host.Facts
	wish     host.Wish
	outcome  host.Outcome
	contests []steady.Contest
	uplink   uplink
	peers    []peer
	path     host.Path
	drops    []drop
	kept     []api.Subnet // of ours that are granted, and that no bridge has now

	lost     []detour // ways that lead packets elsewhere
	unproven []error  // why it is not known of some packets whether they pass
	swings   bool     // our own changes turn the reading back and forth
	only     bool     // the host was looked at, and nothing was applied
}

// peer is a subnet of another host, as the registry has it.
type peer struct {
	prefix netip.Prefix
	owner  string     // the host's label; empty if not known
	ip     netip.Addr // the host's private address; the zero value if not known
}

// drop is a rule that drops packets which should pass.
type drop struct {
	from, to []netip.Prefix
	bridge   string // the local ones of these are on it
	limits   string // the protocols and ports that it is about; empty: all
	grave    bool   // most of what goes between two subnets is dropped, not a port or a container of it
	rule     firewall.Rule
	moved    bool            // they are not dropped, but sent elsewhere
	unsure   []firewall.Rule // not understood, and able to accept them before
}

// detour is a way that leads packets elsewhere than between our subnets: they are lost.
type detour struct {
	code   api.Code
	to     []netip.Prefix // whole subnets
	part   netip.Prefix   // of the one, what is meant; the zero value for all of it
	from   []string       // the interfaces that the packets come in by; "" is the host itself
	lookup host.Lookup    // the first one
	more   bool           // other routes lead the same way
}

// New builds an agent. metrics may be nil.
func New(config Config, h Host, registry Registry, metrics *Metrics, log *slog.Logger) *Agent {
	return &Agent{
		config: config, host: h, registry: registry, metrics: metrics, log: log,
		tendNow: make(chan struct{}, 1), keepNow: make(chan struct{}, 1), ready: make(chan struct{}),
	}
}

// Run tends the host until ctx ends; then it returns nil, and the host stays as it is. An
// error means that the agent cannot do its work at all, and does not come from etcd being
// away. ErrRefused: the host is tended for another cluster.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.recall(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { a.tend(ctx); return nil })
	group.Go(func() error { a.followRegistry(ctx); return nil })
	group.Go(func() error {
		return a.registry.KeepAlive(ctx, a.config.Identity.Instance, a.config.BootID, a.config.TTL)
	})
	return group.Wait()
}

// Ready is closed once the registry has this host's report, also where a former run wrote it
// and nothing is new.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

// wakeTask wakes the receiver of a channel that only wakes.
func wakeTask(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// waitFor waits, or returns when the context ends.
func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// lastText tells a text apart from the one before, so that a state is logged when it begins
// and not for as long as it lasts.
type lastText struct{ last string }

func (l *lastText) changed(text string) bool {
	was := l.last
	l.last = text
	return text != was
}
