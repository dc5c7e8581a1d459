package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

// Up builds the VPC, the simulated cloud, and hosts with their engines and containers.
// Agents and controllers are not started. On failure nothing is left behind; otherwise
// the caller takes the lab down.
func Up(ctx context.Context, o Options) (*Lab, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if !isRoot() {
		return nil, fmt.Errorf("the lab makes network namespaces: run it as root: %w", api.ErrPermission)
	}
	plan, err := newLayout(o.VPC, o.BipPool, o.Hosts)
	if err != nil {
		return nil, err
	}
	l := &Lab{opts: o, layout: plan, supervisor: supervisor.New(markOf(o.Name)), parts: make(map[string]*supervisor.Process)}
	l.inv = Inventory{Name: o.Name, VPC: o.VPC, Pools: append([]netip.Prefix{o.BipPool}, o.Pools...), Supervisor: supervisor.This()}
	l.services, l.leave = new(errgroup.Group), func() {}
	if err := withLabLock(ctx, func() error { return l.claimName(ctx) }); err != nil {
		l.supervisor.Close()
		return nil, err
	}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, l.Down(context.WithoutCancel(ctx)))
	}
	return l, nil
}

// claimName claims the lab's name, which only one process does at a time. What a dead lab
// left is removed first.
func (l *Lab) claimName(ctx context.Context) error {
	old, err := ReadInventory(l.opts.Name)
	if err == nil && old.Supervisor.IsAlive() {
		return fmt.Errorf("lab %s is held by process %d; end it with: sealane-lab down --name %s: %w", old.Name, old.Supervisor.PID, old.Name, ErrExists)
	}
	if err := (Inventory{Name: l.opts.Name}).removeParts(ctx); err != nil {
		return fmt.Errorf("remove what an earlier lab left: %w", err)
	}
	if err := os.MkdirAll(stateDir(l.opts.Name), 0o755); err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	return l.inv.writeTo(statePath(l.opts.Name))
}

func (l *Lab) build(ctx context.Context) error {
	var err error
	if l.engine, err = l.chooseEngine(ctx); err != nil {
		return err
	}
	var hosts []Host
	for k := range l.opts.Hosts {
		h, err := l.planHost(k + 1)
		if err != nil {
			return err
		}
		hosts = append(hosts, h)
	}
	own := append(l.layout.gateways(), netip.MustParseAddr(metadataAddress), netip.MustParseAddr(openAPIAddress))
	if l.router, err = netns.NewRouter(namespaceName(l.opts.Name, "vpc"), own); err != nil {
		return err
	}
	if err := l.attach(l.mgrNamespace(), "vm", l.layout.mgr(), l.layout.mgrNet); err != nil {
		return err
	}
	if err := l.plugOutsider(); err != nil {
		return err
	}
	if l.sim, l.secret, err = newCloud(l.opts, l.layout, hosts, l.inv.Outsider); err != nil {
		return err
	}
	if err := l.startServices(ctx); err != nil {
		return err
	}
	l.tellProgress("vpc %s with a simulated Alibaba Cloud", l.opts.VPC)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4) // engines start faster one after the other than many at once
	for _, h := range hosts {
		g.Go(func() error { return l.startHost(gctx, h) })
	}
	return g.Wait()
}

// chooseEngine takes Docker where it can be had.
func (l *Lab) chooseEngine(ctx context.Context) (engine.Engine, error) {
	absent := engine.MissingForDocker()
	switch {
	case l.opts.Engine == EngineDocker && len(absent) > 0:
		return nil, fmt.Errorf("engine docker: %s; install docker.io, iptables and busybox-static: %w",
			strings.Join(absent, ", "), api.ErrUnsupported)
	case l.opts.Engine == EngineNetns, len(absent) > 0:
		if l.opts.Engine == EngineAuto {
			l.tellProgress("no Docker engine (%s; install docker.io, iptables and busybox-static): plain namespaces stand in as containers", strings.Join(absent, ", "))
		}
		l.inv.Engine = EngineNetns
		return engine.NewPlain(), nil
	}
	l.inv.Engine = EngineDocker
	if err := withLabLock(ctx, makeHidden); err != nil {
		return nil, err
	}
	return engine.NewDocker(l.supervisor)
}

// Down stops all parts and takes the lab away. Repeated, it does nothing.
func (l *Lab) Down(ctx context.Context) error {
	if l.isDown.Swap(true) {
		return nil
	}
	l.stopParts()
	l.leave()
	served := l.services.Wait()
	if errors.Is(served, net.ErrClosed) {
		served = nil
	}
	l.supervisor.Close()
	return errors.Join(served, withLabLock(ctx, func() error { return l.Inventory().remove(ctx) }))
}
