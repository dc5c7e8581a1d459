package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

// Lab is a cluster that this process holds. Its methods may be called from several
// goroutines, but each part of it is started and stopped by one at a time.
type Lab struct {
	opts       Options
	layout     layout
	router     netns.Router
	sim        *alisim.Sim
	secret     string // of the access key that the simulated cloud knows
	supervisor *supervisor.Supervisor
	engine     engine.Engine

	services *errgroup.Group // what this process serves; ends with leave
	leave    context.CancelFunc
	isDown   atomic.Bool

	mu    sync.Mutex // guards all below
	inv   Inventory
	parts map[string]*supervisor.Process
}

// attach makes a namespace with eth0 in the vSwitch and plugs it into the VPC at port.
func (l *Lab) attach(namespace, port string, addr netip.Addr, vswitch netip.Prefix) error {
	return l.router.Attach(namespace, port, netip.PrefixFrom(addr, vswitch.Bits()), gatewayOf(vswitch))
}

// Inventory is what the lab has now.
func (l *Lab) Inventory() Inventory {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inv.clone()
}

// Sim is the simulated cloud.
func (l *Lab) Sim() *alisim.Sim { return l.sim }

func (l *Lab) updateInventory(change func(*Inventory)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.inv)
	return l.inv.writeTo(statePath(l.inv.Name))
}

func (l *Lab) mgrNamespace() string { return namespaceName(l.opts.Name, "mgr") }

// tellProgress tells progress, a line each.
func (l *Lab) tellProgress(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.opts.Out, format+"\n", args...)
}

// noteHost notes what is new about a host.
func (l *Lab) noteHost(h Host) error {
	return l.updateInventory(func(v *Inventory) {
		v.Hosts[slices.IndexFunc(v.Hosts, func(o Host) bool { return o.Index == h.Index })] = h
	})
}
