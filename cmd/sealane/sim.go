package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/server"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cmd/cli"
)

type simFlags struct {
	listen, metadata, seed string
	taskTime               time.Duration
	strict                 bool
	logLevel, logFormat    string
}

func newSim() *cobra.Command {
	f := &simFlags{}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run the Alibaba Cloud simulator alone: VPC, ECS, STS and instance metadata over HTTP",
		Long: `Run the Alibaba Cloud simulator: the part of VPC, ECS and STS that routes need, and instance
metadata, over HTTP. Point any client's endpoint at it. It forgets everything when it ends.

The simulator takes requests from whoever can reach the address; listen on loopback.`,
		Example: `  sealane sim --listen 127.0.0.1:8990
  sealane sim --seed world.yaml --task-time 2s
  aliyun vpc DescribeVpcs --endpoint 127.0.0.1:8990 --insecure`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSim(cmd.Context(), f, cmd.ErrOrStderr()) },
	}
	set := cmd.Flags()
	set.StringVar(&f.listen, "listen", "127.0.0.1:8990", "address of the cloud API")
	set.StringVar(&f.metadata, "metadata-listen", "", "address of the instance metadata service, which knows callers by their address (default: none)")
	set.StringVar(&f.seed, "seed", "", "YAML file with the world to start with (default: a small example)")
	set.DurationVar(&f.taskTime, "task-time", time.Second, "how long an asynchronous change takes")
	set.BoolVar(&f.strict, "strict", false, "refuse unsigned requests even when the seed holds no keys")
	set.StringVar(&f.logLevel, "log-level", "info", "debug (one line for each request), info, warn or error")
	set.StringVar(&f.logFormat, "log-format", "text", "text or json")
	return cmd
}

func runSim(ctx context.Context, f *simFlags, errOut io.Writer) error {
	log, err := cli.Logger(errOut, f.logLevel, f.logFormat)
	if err != nil {
		return err
	}
	seed := alisim.Example()
	if f.seed != "" {
		if seed, err = readSeed(f.seed); err != nil {
			return err
		}
	}
	sim, err := alisim.New(seed, alisim.Options{TaskTime: f.taskTime, Strict: f.strict, Log: log})
	if err != nil {
		return fmt.Errorf("--seed %s: %w", f.seed, err)
	}
	handlers := map[string]http.Handler{f.listen: sim.API()}
	if f.metadata != "" {
		handlers[f.metadata] = sim.Metadata()
	}
	group, ctx := errgroup.WithContext(ctx)
	for address, handler := range handlers {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", address, err)
		}
		log.Info("serving", api.KeyAddress, "http://"+listener.Addr().String())
		group.Go(func() error { return server.Serve(ctx, listener, handler) })
	}
	return group.Wait()
}

func readSeed(path string) (alisim.Seed, error) {
	file, err := os.Open(path)
	if err != nil {
		return alisim.Seed{}, fmt.Errorf("--seed: %w", err)
	}
	defer func() { _ = file.Close() }()
	seed, err := alisim.LoadSeed(file)
	if err != nil {
		return alisim.Seed{}, fmt.Errorf("--seed %s: %w", path, err)
	}
	return seed, nil
}
