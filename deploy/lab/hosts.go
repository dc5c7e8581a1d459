package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/engine"
)

// startLimit is how long a part may take to answer; engines start slowly on a busy machine.
const startLimit = 90 * time.Second

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

// noteHost notes what is new about a host.
func (l *Lab) noteHost(h Host) error {
	return l.updateInventory(func(v *Inventory) {
		v.Hosts[slices.IndexFunc(v.Hosts, func(o Host) bool { return o.Index == h.Index })] = h
	})
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
