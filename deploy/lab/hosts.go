package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
)

func (l *Lab) planHost(k int) (Host, error) {
	h, err := l.layout.host(l.opts.Name, k)
	if err == nil && l.inv.Engine == EngineDocker {
		h.Docker = dockerSocket(l.opts.Name, h)
		if k <= len(l.opts.Engines) {
			h.Engine = l.opts.Engines[k-1]
		}
	}
	return h, err
}

// startHost plugs the host into the VPC and starts its engine.
func (l *Lab) startHost(ctx context.Context, h Host) error {
	err := l.updateInventory(func(v *Inventory) {
		v.Hosts = append(v.Hosts, h)
		slices.SortFunc(v.Hosts, func(a, b Host) int { return a.Index - b.Index })
	})
	if err != nil {
		return err
	}
	if err := l.attach(h.Namespace, h.port(), h.IP, l.layout.hostNet); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("%s has no running container after %s: %w", h.Name, startLimit, api.ErrTimeout))
	defer cancel()
	if h, err = l.prepareHost(ctx, h); err != nil {
		return err
	}
	if err := l.engine.StartHost(ctx, engineHost(l.opts.Name, h)); err != nil {
		return err
	}
	l.tellProgress("%s %s at %s, bip %s, container %s", h.Name, h.Instance, h.IP, h.Bip, h.Bip.Addr().Next())
	return nil
}

// AddHost adds the next host of the plan, its agent not started.
func (l *Lab) AddHost(ctx context.Context) (Host, error) {
	h, err := l.planHost(len(l.Inventory().Hosts) + 1)
	if err != nil {
		return h, err
	}
	if err := l.sim.AddInstance(cloudInstance(h)); err != nil {
		return h, fmt.Errorf("add %s to the simulated cloud: %w", h.Name, err)
	}
	return h, l.startHost(ctx, h)
}

// RestartDocker stops a host's engine and starts it with another bip, as an operator does
// who edits daemon.json. With no valid bip Docker takes its own default.
func (l *Lab) RestartDocker(ctx context.Context, index int, bip netip.Prefix) (Host, error) {
	h, err := l.Inventory().Host(strconv.Itoa(index))
	if err != nil {
		return h, err
	}
	l.engine.StopHost(engineHost(l.opts.Name, h))
	if docker, ok := l.engine.(*engine.Docker); ok && !bip.IsValid() {
		if err := docker.ForgetNetwork(engineHost(l.opts.Name, h)); err != nil {
			return h, err
		}
	}
	h.Bip = bip
	if err := l.noteHost(h); err != nil {
		return h, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return h, l.engine.StartHost(ctx, engineHost(l.opts.Name, h))
}

// ReplaceEngine stops a host's engine and starts another on the same data, as an upgrade in
// place does. What else runs on the host goes on as it is.
func (l *Lab) ReplaceEngine(ctx context.Context, index int, e HostEngine) (Host, error) {
	h, err := l.Inventory().Host(strconv.Itoa(index))
	if err == nil {
		err = e.validate()
	}
	if err != nil {
		return h, err
	}
	l.engine.StopHost(engineHost(l.opts.Name, h))
	if keeper := l.part(partRoot + h.short()); keeper != nil {
		keeper.Stop(5 * time.Second)
	}
	h.Engine, h.Keeper, h.Path = e, 0, ""
	if err := l.noteHost(h); err != nil {
		return h, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if h, err = l.prepareHost(ctx, h); err != nil {
		return h, err
	}
	return h, l.engine.StartHost(ctx, engineHost(l.opts.Name, h))
}

// plugOutsider makes the outsider, where the lab has one.
func (l *Lab) plugOutsider() error {
	if !l.opts.Outsider {
		return nil
	}
	o := Outsider{Namespace: namespaceName(l.opts.Name, "out"), IP: addressAfter(l.layout.outNet.Addr(), mgrOctet)}
	if err := l.attach(o.Namespace, outsidePort, o.IP, l.layout.outNet); err != nil {
		return err
	}
	return l.updateInventory(func(v *Inventory) { v.Outsider = o })
}

// listenOutsider gives nil where the lab has no outsider.
func (l *Lab) listenOutsider(ctx context.Context) (net.Listener, error) {
	o := l.Inventory().Outsider
	if !o.exists() {
		return nil, nil
	}
	return netns.ListenTCP(ctx, netns.Path(o.Namespace), fmt.Sprintf("%s:%d", o.IP, probe.ServicePort))
}

// Narrow sets the MTU of the link between a host and the VPC. Containers do not learn of
// it but from the routers on the way.
func (l *Lab) Narrow(h Host, mtu int) error {
	for namespace, port := range map[string]string{h.Namespace: "eth0", l.router.Namespace: h.port()} {
		err := netns.WithLinks(namespace, func(n *netlink.Handle) error {
			link, err := n.LinkByName(port)
			if err != nil {
				return err
			}
			return n.LinkSetMTU(link, mtu)
		})
		if err != nil {
			return fmt.Errorf("set the MTU of %s to %d: %w", h.Name, mtu, err)
		}
	}
	return nil
}
