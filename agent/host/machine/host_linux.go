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
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/docker"
	"github.com/sealane/sealane/agent/host/dockerd"
	"github.com/sealane/sealane/agent/host/iptables"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/mark"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/agent/host/redirect"
	"github.com/sealane/sealane/agent/host/route"
	"github.com/sealane/sealane/agent/host/source"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/agent/host/sysctl"
	"github.com/sealane/sealane/api"
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

// Facts reads the host. The address ip, the host's private one, tells the uplink. Without
// the means to look at the firewall, named in Missing, the rest is still told.
func (h *Host) Facts(ctx context.Context, ip netip.Addr) (host.Facts, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules.Expire()
	lacks, blind := h.missing(ctx)
	f := host.Facts{Kernel: kernelRelease(), Missing: lacks, BridgeNetfilter: sysctl.BridgeNetfilter()}
	var err error
	if f.Forwarding, err = sysctl.Forwards(); err != nil {
		return host.Facts{}, err
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return host.Facts{}, fmt.Errorf("list addresses: %w", err)
	}
	if f.Bridges, err = bridges(addrs); err != nil {
		return host.Facts{}, err
	}
	if f.Uplink, f.UplinkMAC, err = uplink(ip, addrs); err != nil {
		return host.Facts{}, err
	}
	if f.ReversePath, err = sysctl.EffectiveReversePath(f.Uplink); err != nil {
		return host.Facts{}, err
	}
	f.SavedRules = h.saved.Paths()
	h.askEngine(ctx, &f)
	if f.Asked != nil {
		f.Elsewhere, _ = filepath.Glob("/run/user/*/docker.sock")
	}
	if err = h.lookAtFirewall(ctx, &f); blind {
		err = nil // Missing says why it cannot be looked at
	}
	return f, err
}

// lookAtFirewall tells as much as can be seen, even when it fails.
func (h *Host) lookAtFirewall(ctx context.Context, f *host.Facts) error {
	d, err := h.rules.Detect(ctx)
	if err != nil {
		d.Native, _ = h.readNative(ctx) // needs no iptables
		d.Docker, d.Shielded = d.Native != nil, d.Native != nil
	}
	d.Tell(f)
	f.RulesOff = !f.Docker && h.engine.WritesNoRules()
	f.Redirect = d.Native != nil && h.redirect.Attached(f.Uplink)
	// What cannot be told of kept sources, the part says when it plans.
	f.Kept, _ = h.source.Kept(ctx)
	way, why, _ := h.source.Way(ctx)
	if f.SourceWay = way; why != nil {
		f.SourceWhy = why.Error()
	}
	if writer := h.writer.Load(); writer != nil {
		f.Writer = *writer
	}
	return err
}

// bridges are all Linux bridges, by name, with their addresses.
func bridges(addrs []netlink.Addr) ([]host.Bridge, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var found []host.Bridge
	for _, link := range links {
		if link.Type() != "bridge" {
			continue
		}
		b := host.Bridge{Name: link.Attrs().Name, Up: link.Attrs().OperState == netlink.OperUp}
		for _, a := range addrs {
			if a.LinkIndex == link.Attrs().Index && !a.IP.IsLinkLocalUnicast() {
				b.Addresses = append(b.Addresses, kernel.PrefixOf(a))
			}
		}
		slices.SortFunc(b.Addresses, api.ComparePrefixes)
		found = append(found, b)
	}
	slices.SortFunc(found, func(a, b host.Bridge) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// uplink is the interface that carries ip, by its name and its hardware address; empty if
// none does.
func uplink(ip netip.Addr, addrs []netlink.Addr) (name, mac string, err error) {
	for _, a := range addrs {
		if kernel.PrefixOf(a).Addr() != ip {
			continue
		}
		link, err := netlink.LinkByIndex(a.LinkIndex)
		if err != nil {
			return "", "", fmt.Errorf("read the interface that carries %s: %w", ip, err)
		}
		return link.Attrs().Name, link.Attrs().HardwareAddr.String(), nil
	}
	return "", "", nil
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func (h *Host) log() *slog.Logger {
	if h.opts.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.opts.Log
}

// Missing names what this process needs to change a host and has not, each with what for.
func (h *Host) Missing(ctx context.Context) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lacks, _ := h.missing(ctx)
	return lacks
}
