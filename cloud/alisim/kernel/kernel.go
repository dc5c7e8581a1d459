// Package kernel makes a simulated VPC forward real packets: it keeps the route tables of an
// alisim.Sim as routes of the Linux kernel, and its security groups and checks of source and
// destination as rules of nftables, inside the network namespace that plays the VPC's router.
//
// Each table of the simulator is a kernel table of its own, and a rule for each port (the
// veth that leads to an interface of an instance) sends what comes in there to the table of
// the interface's vSwitch. In such a table
//
//	an Available entry       is a route via the next hop's address, out of its port,
//	a Modifying one too:     the change takes effect when it is Available again,
//	a next hop that is not   is a blackhole: the traffic is lost, as in the cloud,
//	Running, or not there
//	a system entry           is a throw route: the lookup goes on in table main,
//	all else                 is a blackhole, unless there is an entry of everything.
//
// Table main, with a route to each instance of all VPCs, is laid by whoever makes the
// namespace.
//
// What crosses the router passes, in this order,
//
//	its ports: what comes from, or goes to, one without a Running instance is lost,
//	the border between VPCs, which is closed,
//	the check of source and destination of both ports, for each packet,
//	the egress rules of the sender's groups and the ingress rules of the receiver's, for
//	the first packet of a connection; the others follow it.
//
// What is dropped is dropped silently. The router's own addresses, where the cloud's
// services are, know no groups and no border; the check of the source applies to them, and
// that the instance is Running.
package kernel

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

// Options say where routes and rules go.
type Options struct {
	// Namespace is the path of the VPC router's network namespace, such as /run/netns/vpc.
	Namespace string

	// Ports tells the link that leads to each interface, by interface id, or by instance id
	// for the primary one. It is asked at each pass. Links that are missing or down count as
	// absent. It names a link for as long as that is there, whatever becomes of the instance:
	// nothing passes a port without a Running one. What it does not name is no instance's, as
	// that of a management host, and is let alone.
	Ports func() map[string]Port

	// Log gets a line for each change of a kernel table or rule, and for errors. nil: none.
	Log *slog.Logger
}

// Port is where an interface of an instance is plugged in.
type Port struct {
	Link string // the interface in the VPC's namespace
}

// resync is how often everything is looked at without a reason; it finds links that came up
// and routes and rules that somebody removed.
const resync = 2 * time.Second

// Drive keeps the kernel like the simulator until the context ends, which is no error. What
// is laid stays: it goes with the namespace. An error means that the namespace cannot be
// entered; one of a single pass is logged, and the pass made again.
func Drive(ctx context.Context, sim *alisim.Sim, opts Options) error {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	ns, err := netns.GetFromPath(opts.Namespace)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", opts.Namespace, err)
	}
	defer func() { _ = ns.Close() }() // only read from
	handle, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("enter network namespace %q: %w", opts.Namespace, err)
	}
	defer handle.Close()
	r := router{handle, &firewall{namespace: int(ns)}, opts.Log}
	for ctx.Err() == nil {
		changed := sim.Changed()
		if err := r.syncKernel(sim.Snapshot(), opts.Ports()); err != nil {
			opts.Log.Warn("simulated VPC not in step", api.KeyError, err)
		}
		waitForChange(ctx, changed, sim)
	}
	return nil
}

// waitForChange returns at the next change, when a running task ends, or for a resync.
func waitForChange(ctx context.Context, changed <-chan struct{}, sim *alisim.Sim) {
	delay := resync
	if at, ok := sim.Settles(); ok {
		delay = max(0, min(delay, time.Until(at)))
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer.C:
	}
}
