// Package machine brings a machine to a wish. With the rooms beside it, it is the only code
// that touches a host's kernel, firewall and Docker engine. It reads facts ([Host.Facts]),
// brings the host to a whole wish ([Host.Apply]), says when to look again ([Host.Watch]) and undoes all of it ([Host.Restore]). What Apply and
// Restore would do, they can tell beforehand as commands one could type ([Host.Plan],
// [Host.PlanRestore]).
//
// What it puts in place lies beside Docker's rules and never in them: chains SEALANE-RAW
// and SEALANE-FWD with one jump each from raw PREROUTING, DOCKER-USER and FORWARD, the sets
// sealane-local and sealane-peers they match, the nft table "sealane", and a few sysctls.
// It never sets a policy. One rule set serves Docker 20.10 to 29 with the iptables backend,
// since it goes ahead of everything these engines drop: the policy of FORWARD, the last
// rule of chain DOCKER (28.0 on) and the rules for each container in raw PREROUTING (28.2
// on). Docker's nftables backend is served by marks it was told to accept, or by a redirect
// on the uplink.
//
// Everything acts in the network namespace of the calling process, so several hosts can
// live on one machine, each with its own state directory.
package machine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/docker"
	"github.com/sealane/sealane/agent/host/dockerd"
	"github.com/sealane/sealane/agent/host/iptables"
	"github.com/sealane/sealane/agent/host/mark"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/agent/host/redirect"
	"github.com/sealane/sealane/agent/host/route"
	"github.com/sealane/sealane/agent/host/source"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/agent/host/sysctl"
)

// Options say how to work on a host. Only StateDir must be given.
type Options struct {
	StateDir  string         // where former values are remembered; made when absent
	Root      string         // of the file system, to look for rules restored at boot; empty: not looked for
	SysctlDir string         // where the file that outlives a reboot goes; empty: no such file
	Engine    *docker.Client // the Docker engine of this host; nil: not asked
	Log       *slog.Logger   // for what is not worth an error: a watch that cannot be set up

	DaemonConfig  string // dockerd's configuration file, changed only with RestartEngine
	RestartEngine string // the command of a shell that restarts dockerd; giving it is the leave to use it
}

// Host is the machine, seen from the network namespace of the calling process.
type Host struct {
	opts Options

	mu       sync.Mutex // one change at a time; guards all below
	store    *state.Store
	settings *sysctl.Settings
	redirect *redirect.Part
	engine   *dockerd.Part
	rules    *iptables.Part
	saved    *iptables.Saved
	asking   asking
	routes   *route.Reader
	nft      *nft.Client
	source   *source.Part
	docked   docked
	marks    *mark.Part

	system   nft.Real
	applying atomic.Bool            // changes of nftables are ours now
	served   atomic.Pointer[[]int]  // the interfaces whose settings matter, by index; nil before the first wish
	writer   atomic.Pointer[string] // who made one otherwise; nil if nobody was seen to
}

// asking is what the engine said last, and the question that is under way.
type asking struct {
	known bool
	asked
	next chan asked // the answer to the question under way; nil if there is none
}

type asked struct {
	answer host.Engine
	err    error
}

func (h *Host) log() *slog.Logger {
	if h.opts.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.opts.Log
}

// New returns the host. It reads and changes nothing yet.
func New(opts Options) *Host {
	h := &Host{opts: opts, store: state.New(opts.StateDir), saved: iptables.NewSaved(opts.Root)}
	h.nft = nft.New(&h.system)
	h.rules = iptables.New(h.store, iptables.Around{Native: h.readNative, NFT: h.nft})
	h.settings = sysctl.New(h.store, opts.SysctlDir, h.seesDocker)
	h.redirect = redirect.New(h.store, h.settings.LoosenBridges)
	h.source = source.New(h.nft, iptables.Masquerading{Part: h.rules}, iptables.Masquerading{Part: h.rules})
	h.engine = dockerd.New(h.store, dockerd.Options{File: opts.DaemonConfig, Restart: opts.RestartEngine}, dockerd.Around{
		Table: h.engineTable, Guards: h.markGuards, FreeMark: h.chooseMark, Answers: h.answers,
		Forwards: sysctl.Forwards, WillForward: h.settings.WillForward,
	})
	h.marks = mark.New(h.store, h.nft, h.readDocked, engineSeen{h.engine, h.rules})
	h.routes = route.New(h.log())
	return h
}

// RecallPeers reads what RememberPeers wrote last; the zero value if there is nothing.
func (h *Host) RecallPeers() (host.Peers, error) { return h.store.RecallPeers() }

// RememberPeers makes it durable: after a crash the file is the old or the new one. Restore
// forgets it.
func (h *Host) RememberPeers(p host.Peers) error { return h.store.RememberPeers(p) }

// Path asks the kernel which way packets go. It changes nothing.
func (h *Host) Path(_ context.Context, q host.PathQuestion) (host.Path, error) {
	return h.routes.Read(q)
}

// What one part of the host needs to know of another's, none of which knows the other.

// seesDocker tells the settings of Docker's rules.
func (h *Host) seesDocker(ctx context.Context) (sysctl.Docker, error) {
	d, err := h.rules.Detect(ctx)
	if err != nil {
		return sysctl.Docker{}, err
	}
	f := host.Facts{Engine: h.asking.answer, Asked: h.asking.err}
	d.Tell(&f)
	return sysctl.Docker{There: d.Docker, Shielded: d.Shielded, Exposed: f.Exposed()}, nil
}

// engineTable tells dockerd's part what Docker's own nft table says.
func (h *Host) engineTable(ctx context.Context) (dockerd.Table, error) {
	d, err := h.readDocked(ctx)
	if err != nil {
		return dockerd.Table{}, err
	}
	native, err := h.readNative(ctx)
	return dockerd.Table{Native: native, Bridges: len(d.Told) - len(d.Internal), Starting: d.Starting()}, err
}

// markGuards are the steps that make what stands in for Docker's own drops.
func (h *Host) markGuards(ctx context.Context) ([]host.Step, error) { return h.marks.Guards(ctx) }

// engineSeen is what the part that marks is told of Docker.
type engineSeen struct {
	*dockerd.Part
	rules *iptables.Part
}

// InIPTables reports whether Docker's rules are in iptables.
func (e engineSeen) InIPTables(ctx context.Context) (bool, error) {
	d, err := e.rules.Detect(ctx)
	return d.Docker && d.Native == nil, err
}

// chooseMark finds a bit of packets' marks that no rule of this host uses; zero if there is
// none.
func (h *Host) chooseMark(ctx context.Context) (uint32, error) {
	used, err := h.usedMarks(ctx)
	if err != nil {
		return 0, err
	}
	return freeMark(used), nil
}

// answers reports whether the engine answered when it was last asked, or is not asked.
func (h *Host) answers() bool { return h.opts.Engine == nil || h.asking.known && h.asking.err == nil }
