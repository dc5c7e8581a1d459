package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
	"github.com/sealane/sealane/cmd/cli"
)

// run puts the parts together and runs them until the context ends.
func run(cmd *cobra.Command, f *flags) error {
	ctx := cmd.Context()
	if f.dryRun {
		return preview(cmd, f)
	}
	log, err := prepare(cmd, f, true)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, f.listen)
	if err != nil {
		return err
	}
	if listener != nil {
		defer func() { _ = listener.Close() }()
	}
	options, err := f.hostOptions(log)
	if err != nil {
		return err
	}
	h := machine.New(options)
	id, err := identify(ctx, f, log)
	if err != nil {
		return err
	}
	release, err := state.Hold(ctx, f.stateDir)
	if err != nil {
		return err
	}
	defer release()
	if err := rememberIdentity(f.stateDir, id); err != nil {
		return err
	}
	boot, err := state.BootID()
	if err != nil {
		return err
	}
	client, err := etcd.Dial(f.etcdEndpoints, etcd.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	numbers := newNumbers()
	log = log.With(api.KeyCluster, f.cluster, api.KeyInstance, string(id.Instance))
	config := f.agentConfig(id, boot)
	config.Memory = h
	a := agent.New(config, h, registry.New(client, f.cluster), agent.NewMetrics(numbers), log)
	return together(ctx, a, listener, numbers, log)
}

// together runs the agent and what tells of it, until the context ends or one of them fails.
func together(ctx context.Context, a *agent.Agent, listener net.Listener, numbers *prometheus.Registry, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Run(ctx) })
	group.Go(func() error { announce(ctx, a, log); return nil })
	group.Go(func() error { giveBack(ctx, a.Ready()); return nil })
	if listener != nil {
		log.Info("serving", api.KeyAddress, "http://"+listener.Addr().String())
		group.Go(func() error { return serve(ctx, listener, newHandler(a.Ready(), numbers)) })
	}
	return group.Wait()
}

// newNumbers holds what /metrics shows, to begin with the process itself.
func newNumbers() *prometheus.Registry {
	numbers := prometheus.NewRegistry()
	numbers.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return numbers
}

// listen is done before all else, so that a bad address ends the agent before it touches the
// host. Without an address there is no listener.
func listen(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", address, err)
	}
	return listener, nil
}

// announce tells systemd, and the log, that the first report is written.
func announce(ctx context.Context, a *agent.Agent, log *slog.Logger) {
	select {
	case <-ctx.Done():
	case <-a.Ready():
		log.Info("host reported")
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // without systemd there is nobody to tell
	}
}

// prepare checks the flags and makes the logger that they ask for.
func prepare(cmd *cobra.Command, f *flags, needsEtcd bool) (*slog.Logger, error) {
	if err := f.check(needsEtcd); err != nil {
		return nil, err
	}
	return cli.Logger(cmd.ErrOrStderr(), f.logLevel, f.logFormat)
}

func leave(cmd *cobra.Command, f *flags) error {
	ctx := cmd.Context()
	log, err := prepare(cmd, f, true)
	if err != nil {
		return err
	}
	id, err := identify(ctx, f, log)
	if err != nil {
		return err
	}
	client, err := etcd.Dial(f.etcdEndpoints, etcd.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	report, err := agent.Leave(ctx, id, registry.New(client, f.cluster))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "host %s left; its routes will be withdrawn\n", api.Host{Report: report}.Label())
	return err
}
