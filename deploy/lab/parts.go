package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

const apiPort = 8480 // of the first controller, inside the VPC

// startLimit is how long a part may take to answer; engines start slowly on a busy machine.
const startLimit = 90 * time.Second

// Start starts controllers and agents and returns when all containers reach each other. A
// single host has no pair: it is up when the VPC has its route.
func (l *Lab) Start(ctx context.Context) (Report, error) {
	if err := l.Launch(ctx); err != nil {
		return Report{}, err
	}
	return l.AwaitReady(ctx)
}

// Launch starts controllers and agents, and does not wait for what they do.
func (l *Lab) Launch(ctx context.Context) error {
	for n := range l.opts.Controllers {
		if err := l.StartController(ctx, n+1); err != nil {
			return err
		}
	}
	return l.StartAgents(ctx)
}

// AwaitReady is the rest of Start.
func (l *Lab) AwaitReady(ctx context.Context) (Report, error) {
	wanted := Report.OK
	if l.opts.Hosts == 1 {
		l.tellProgress("waiting for the host's route")
		wanted = func(Report) bool { return l.routed() }
	} else {
		l.tellProgress("waiting for the containers to reach each other")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not after %s", startLimit))
	defer cancel()
	r, err := l.Await(ctx, wanted)
	if errors.Is(err, api.ErrTimeout) { // the logs go with the lab
		err = fmt.Errorf("%w; last lines of the controller's log:\n%s", err, supervisor.LastLines(logPath(l.opts.Name, partController+"1"), 8))
	}
	if err != nil {
		return r, err
	}
	return r, l.updateInventory(func(v *Inventory) { v.Ready = true })
}

// StartController starts the etcd of its own, where there is one, and the n-th controller
// replica, and returns when its API answers.
func (l *Lab) StartController(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if l.opts.EtcdBinary != "" && !l.isRunning(partEtcd) {
		if err := l.StartEtcd(ctx); err != nil {
			return err
		}
	}
	part := partController + strconv.Itoa(n)
	argv := []string{
		l.Program("sealane-controller"),
		"--cluster", l.opts.Name, "--name", part, "--listen", l.apiAddress(n),
		"--vpc", vpcID, "--region", region, "--endpoint", "http://" + openAPIAddress,
		"--policy", string(api.PolicyFull), "--lease-ttl", "10s", "--resync", "10s",
	}
	for _, p := range l.Inventory().Pools {
		argv = append(argv, "--pool", p.String())
	}
	if l.opts.EtcdBinary != "" {
		argv = append(argv, "--etcd-endpoints", l.etcdURL())
	} else {
		argv = append(argv, "--etcd-listen", l.etcdURL(), "--data-dir", filepath.Join(dataDir(l.opts.Name), part))
	}
	p, err := l.startPart(ctx, supervisor.Command{
		Name: part, Argv: argv, Netns: l.mgrNamespace(),
		Env: []string{"ALIBABA_CLOUD_ACCESS_KEY_ID=" + accessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + l.secret},
	})
	if err != nil {
		return err
	}
	if err := p.Await(ctx, func(ctx context.Context) error { return l.healthy(ctx, l.apiAddress(n), "/healthz") }); err != nil {
		return err
	}
	l.tellProgress("%s serves %s", part, l.Inventory().API)
	return nil
}

// StartEtcd starts the etcd that is a process of its own, with the data it had.
func (l *Lab) StartEtcd(ctx context.Context) error {
	peer := fmt.Sprintf("http://%s:2380", l.layout.mgr())
	p, err := l.startPart(ctx, supervisor.Command{Name: partEtcd, Netns: l.mgrNamespace(), Argv: []string{
		l.opts.EtcdBinary,
		"--name", "lab", "--data-dir", filepath.Join(dataDir(l.opts.Name), partEtcd), "--log-level", "warn",
		"--listen-client-urls", l.etcdURL(), "--advertise-client-urls", l.etcdURL(),
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "lab=" + peer,
	}})
	if err != nil {
		return err
	}
	return p.Await(ctx, func(ctx context.Context) error {
		return l.healthy(ctx, strings.TrimPrefix(l.etcdURL(), "http://"), "/health")
	})
}

// StartAgents starts the agent of every host.
func (l *Lab) StartAgents(ctx context.Context) error {
	var g errgroup.Group
	for _, h := range l.Inventory().Hosts {
		g.Go(func() error { return l.StartAgent(ctx, h) })
	}
	return g.Wait()
}

// StartAgent starts the agent of one host. It does not wait for what the agent does.
func (l *Lab) StartAgent(ctx context.Context, h Host) error {
	_, err := l.startPart(ctx, supervisor.Command{
		Name: partAgent + h.short(), Netns: h.Namespace,
		Argv: h.hostCommand(append([]string{l.Program("sealane-agent")}, l.AgentFlags(h)...)...),
	})
	return err
}

// AgentFlags are the flags of a host's agent; its cleanup takes the same.
func (l *Lab) AgentFlags(h Host) []string {
	docker := []string{"--docker", "none"}
	if h.Docker != "" {
		docker = []string{"--docker", "unix://" + h.Docker, "--docker-config", filepath.Join(stateDir(l.opts.Name), h.short(), "daemon.json")}
	}
	return slices.Concat(docker, []string{
		"--cluster", l.opts.Name, "--etcd-endpoints", l.etcdURL(),
		"--metadata-url", "http://" + metadataAddress, "--state-dir", filepath.Join(stateDir(l.opts.Name), h.short(), "agent"),
	}, l.opts.AgentFlags)
}

// Program is the path of a command of sealane, beside those that the lab runs.
func (l *Lab) Program(name string) string { return filepath.Join(l.opts.BinDir, name) }

// Signal sends a signal to a part, see the names above, and after SIGKILL waits for its end.
func (l *Lab) Signal(part string, sig syscall.Signal) error {
	p := l.part(part)
	if p == nil {
		return fmt.Errorf("signal %s: no such part was started: %w", part, api.ErrNotFound)
	}
	if err := p.Signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		<-p.Done()
	}
	return nil
}

// routed reports whether the VPC has the route of every host.
func (l *Lab) routed() bool {
	routes := l.sim.Routes(Table)
	for _, h := range l.Inventory().Hosts {
		if !slices.ContainsFunc(routes, func(r alisim.Route) bool {
			return r.Destination == h.Bip.Masked() && r.NextHop == string(h.Instance) && r.State == "Available"
		}) {
			return false
		}
	}
	return true
}

// Await checks until the report is as wanted, or the context ends: then the last report
// comes with an error, of kind ErrTimeout if the time ran out. It gives up at once when a
// part has ended that nobody asked to, and tells what that said last.
func (l *Lab) Await(ctx context.Context, wanted func(Report) bool) (Report, error) {
	ctx, cancel := l.whileRunning(ctx)
	defer cancel(nil)
	for {
		r := l.Inventory().Check(ctx, 2*time.Second)
		if ctx.Err() == nil && wanted(r) {
			return r, nil
		}
		if err := ctx.Err(); err != nil {
			cause := context.Cause(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				cause = fmt.Errorf("%w: %w", api.ErrTimeout, cause)
			}
			return r, fmt.Errorf("wait for the lab: %w", cause)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// whileRunning is the context until a part that has been started ends by itself; its
// cause is then how that part ended.
func (l *Lab) whileRunning(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.parts {
		go func() { // ends with the context, at the latest
			select {
			case <-p.Done():
				if !p.EndWasAsked() {
					cancel(p.Ended())
				}
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

func (l *Lab) startPart(ctx context.Context, c supervisor.Command) (*supervisor.Process, error) {
	if l.isRunning(c.Name) {
		return nil, fmt.Errorf("start %s: it runs: %w", c.Name, api.ErrRefused)
	}
	c.Log = logPath(l.opts.Name, c.Name)
	p, err := l.supervisor.StartProcess(ctx, c)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[c.Name] = p
	return p, nil
}

func (l *Lab) part(name string) *supervisor.Process {
	if docker, ok := l.engine.(*engine.Docker); ok && strings.HasPrefix(name, partDocker) {
		h, err := l.Inventory().Host(strings.TrimPrefix(name, partDocker))
		if err != nil {
			return nil
		}
		return docker.FindDaemon(engineHost(l.opts.Name, h))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parts[name]
}

func (l *Lab) isRunning(part string) bool {
	p := l.part(part)
	return p != nil && p.IsRunning()
}

// stopParts stops agents and controllers, which need etcd, then etcd, then the engines.
func (l *Lab) stopParts() {
	l.mu.Lock()
	parts := l.parts
	l.parts = make(map[string]*supervisor.Process)
	hosts := l.inv.clone().Hosts
	l.mu.Unlock()
	var wg sync.WaitGroup
	for name, p := range parts {
		if name != partEtcd {
			wg.Go(func() { p.Stop(5 * time.Second) })
		}
	}
	wg.Wait()
	if p := parts[partEtcd]; p != nil {
		p.Stop(5 * time.Second)
	}
	if l.engine == nil {
		return
	}
	for _, h := range hosts {
		wg.Go(func() { l.engine.StopHost(engineHost(l.opts.Name, h)) })
	}
	wg.Wait()
}

// apiAddress is where the n-th controller serves, inside the VPC.
func (l *Lab) apiAddress(n int) string {
	return fmt.Sprintf("%s:%d", l.layout.mgr(), apiPort+n-1)
}

func (l *Lab) etcdURL() string { return fmt.Sprintf("http://%s:2379", l.layout.mgr()) }

// healthy asks for a path on the management host and wants status 200.
func (l *Lab) healthy(ctx context.Context, address, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := probe.Get(ctx, netns.Path(l.mgrNamespace()), address, path)
	return err
}
