package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cmd/cli"
)

type simFlags struct {
	listen, metadata, admin, seed, log string
	certificate, key                   string
	opts                               alisim.Options
	readings                           map[string]string
	logLevel, logFormat                string
}

func newSim() *cobra.Command {
	f := &simFlags{}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run the Alibaba Cloud simulator alone: VPC, ECS, STS and instance metadata over HTTP",
		Long: `Run the Alibaba Cloud simulator: the part of VPC, ECS and STS that routes need, and instance
metadata, over HTTP. Point any client's endpoint at it. It forgets everything when it ends.

The simulator takes requests from whoever can reach the address; listen on loopback. The
admin endpoint, for faults, the log of requests and the world, listens on loopback only.`,
		Example: `  sealane-lab sim --listen 127.0.0.1:8990
  sealane-lab sim --seed world.yaml --task-time 2s --admin 127.0.0.1:8991 --log requests.jsonl
  aliyun vpc DescribeVpcs --endpoint 127.0.0.1:8990 --insecure
  curl -sd '{"action":"CreateRouteEntry","code":"TaskConflict","times":2}' -H Content-Type:application/json 127.0.0.1:8991/v1/faults`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSim(cmd.Context(), f, cmd.ErrOrStderr()) },
	}
	set, o := cmd.Flags(), &f.opts
	set.StringVar(&f.listen, "listen", "127.0.0.1:8990", "address of the cloud API")
	set.StringVar(&f.certificate, "tls-cert", "", "PEM file with the certificate to serve the cloud API over TLS (default: plain HTTP)")
	set.StringVar(&f.key, "tls-key", "", "PEM file with the certificate's key")
	set.StringVar(&f.metadata, "metadata-listen", "", "address of the instance metadata service, which knows callers by their address (default: none)")
	set.StringVar(&o.LocalInstance, "metadata-instance", "", "the instance that callers from loopback are to the metadata service")
	set.StringVar(&f.admin, "admin", "", "address of the admin endpoint, on loopback (default: none)")
	set.StringVar(&f.seed, "seed", "", "YAML file with the world to start with (default: a small example)")
	set.DurationVar(&o.TaskTime, "task-time", time.Second, "how long an asynchronous change takes")
	set.DurationVar(&o.ReadTime, "read-time", 0, "how long the answer to a read takes")
	set.DurationVar(&o.WriteTime, "write-time", 0, "how long the answer to a write takes")
	set.DurationVar(&o.SessionTime, "session-time", 6*time.Hour, "how long the credentials of an instance's role hold")
	set.StringToIntVar(&o.Rates, "rate", nil, "calls per minute of an action, such as DescribeRouteEntryList=60")
	set.StringToStringVar(&f.readings, "reading", nil, "how to read the API's documents, such as longPage=refuse")
	set.BoolVar(&o.Strict, "strict", false, "refuse unsigned requests even when the seed holds no keys")
	set.StringVar(&f.log, "log", "", `file that gets each request as a line of JSON; "-" for standard error (default: none)`)
	set.StringVar(&f.logLevel, "log-level", "info", "debug (one line for each request), info, warn or error")
	set.StringVar(&f.logFormat, "log-format", "text", "text or json")
	return cmd
}

func runSim(ctx context.Context, f *simFlags, errOut io.Writer) error {
	log, err := cli.Logger(errOut, f.logLevel, f.logFormat)
	if err != nil {
		return err
	}
	closeLog, err := f.openLog(errOut)
	if err != nil {
		return err
	}
	defer closeLog()
	if err := f.parseReadings(); err != nil {
		return err
	}
	seed := alisim.Example()
	if f.seed != "" {
		if seed, err = alisim.LoadSeedFile(f.seed); err != nil {
			return fmt.Errorf("--seed %s: %w", f.seed, err)
		}
	}
	f.opts.Log = log
	sim, err := alisim.New(seed, f.opts)
	if err != nil {
		return fmt.Errorf("--seed %s: %w", f.seed, err)
	}
	return f.serveListeners(ctx, sim, log)
}

// serveListeners opens every listener before it serves any.
func (f *simFlags) serveListeners(ctx context.Context, sim *alisim.Sim, log *slog.Logger) error {
	var doors []func(context.Context) error
	for _, d := range []struct {
		flag, scheme, address string
		listen                func(context.Context, string) (net.Listener, error)
		handler               http.Handler
	}{
		{"--admin", "http", f.admin, alisim.ListenAdmin, sim.Admin()},
		{"--listen", f.scheme(), f.listen, f.listenAPI, sim.API()},
		{"--metadata-listen", "http", f.metadata, listenTCP, sim.Metadata()},
	} {
		if d.address == "" {
			continue
		}
		listener, err := d.listen(ctx, d.address)
		if err != nil {
			return fmt.Errorf("%s: %w", d.flag, err)
		}
		defer func() { _ = listener.Close() }() // closed before when it was served
		log.Info("serving", api.KeyAddress, d.scheme+"://"+listener.Addr().String(), api.KeyDetail, d.flag)
		doors = append(doors, func(ctx context.Context) error { return serveSim(ctx, listener, d.handler) })
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, door := range doors {
		group.Go(func() error { return door(ctx) })
	}
	return group.Wait()
}

func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// scheme is that of the cloud API.
func (f *simFlags) scheme() string {
	if f.certificate == "" && f.key == "" {
		return "http"
	}
	return "https"
}

// listenAPI is listenTCP, with TLS where a certificate is given.
func (f *simFlags) listenAPI(ctx context.Context, address string) (net.Listener, error) {
	if f.scheme() == "http" {
		return listenTCP(ctx, address)
	}
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return nil, fmt.Errorf("read --tls-cert and --tls-key: %w", err)
	}
	listener, err := listenTCP(ctx, address)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

// openLog opens the log of requests.
func (f *simFlags) openLog(errOut io.Writer) (func(), error) {
	switch f.log {
	case "":
		return func() {}, nil
	case "-":
		f.opts.RequestLog = errOut
		return func() {}, nil
	}
	file, err := os.OpenFile(f.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--log: %w", err)
	}
	f.opts.RequestLog = file
	return func() { _ = file.Close() }, nil // every line was written at once
}

// parseReadings turns the --reading flags into readings.
func (f *simFlags) parseReadings() error {
	text, err := json.Marshal(f.readings)
	if err != nil {
		return fmt.Errorf("--reading: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f.opts.Readings); err != nil {
		return fmt.Errorf("--reading: %w: %w", api.ErrInvalid, err)
	}
	return nil
}
