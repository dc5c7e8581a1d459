package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
	"github.com/sealane/sealane/api/server"
	"github.com/sealane/sealane/cloud/alicloud"
	"github.com/sealane/sealane/cloud/pace"
	"github.com/sealane/sealane/cmd/cli"
	"github.com/sealane/sealane/controller"
	"github.com/sealane/sealane/controller/leader"
)

// runController puts the parts together and runs them until ctx ends: the controller, the board that
// the API reads, and the HTTP server.
func runController(ctx context.Context, c config, log *slog.Logger) error {
	log = log.With(api.KeyCluster, c.cluster)
	pacer := pace.New(pace.DefaultLimits())
	c.cloud.Pacer, c.cloud.Log = pacer, log
	provider, err := alicloud.New(c.cloud)
	if err != nil {
		return fmt.Errorf("--region, --vpc, --endpoint, --endpoint-ecs, --table-quota, --credentials-file: %w: %w", err, api.ErrUsage)
	}
	defer provider.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", c.listen, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	endpoints := c.etcdEndpoints
	if len(endpoints) == 0 {
		own, err := startEtcd(ctx, c.dataDir, c.etcdListen)
		if err != nil {
			return err
		}
		defer own.Close()
		group.Go(func() error { return watchEtcd(ctx, own) })
		endpoints = []string{c.etcdListen.String()}
	}
	client, err := etcd.Dial(endpoints, etcd.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	numbers := prometheus.NewRegistry()
	numbers.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), pacer)
	reg := registry.New(client, c.cluster)
	tables := pace.Patient(provider)
	elector := leader.NewEtcd(client, c.cluster, replicaName(c.name), c.leaseTTL)

	settings := controller.DefaultConfig()
	settings.Cluster, settings.Initial, settings.Resync = c.cluster, c.initial, c.resync
	ctrl := controller.New(settings, reg, tables, provider, elector, controller.NewMetrics(numbers), log)
	board := controller.NewBoard(c.cluster, api.Replica{Name: replicaName(c.name), Version: cli.Version()}, reg, 10*time.Second, log)

	group.Go(func() error { return ctrl.Run(ctx) })
	group.Go(func() error { return board.Run(ctx) })
	group.Go(func() error {
		return server.Serve(ctx, listener, server.New(board, promhttp.HandlerFor(numbers, promhttp.HandlerOpts{}), log))
	})
	log.Info("serving", api.KeyAddress, "http://"+listener.Addr().String())
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // without systemd there is nobody to tell
	return group.Wait()
}

// replicaName tells two replicas on one machine apart.
func replicaName(name string) string { return fmt.Sprintf("%s/%d", name, os.Getpid()) }
