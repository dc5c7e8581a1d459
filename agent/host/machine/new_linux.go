package machine

import (
	"github.com/sealane/sealane/agent/host"
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
