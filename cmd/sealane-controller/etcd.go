package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/sealane/sealane/api"
)

// startEtcd runs an etcd inside this process, for one replica: a trial or a small site. It
// listens for agents where --etcd-listen says; its peer port, which a single member never
// uses, is a free one on loopback. The channel delivers why it died, if it does.
func startEtcd(ctx context.Context, dir string, listen url.URL) (e *embed.Etcd, err error) {
	defer func() {
		if damage := recover(); damage != nil { // etcd panics on a data directory it cannot make sense of
			err = fmt.Errorf("--data-dir %s: its etcd cannot be started: %v; move the directory away to start empty: %w", dir, damage, api.ErrInvalid)
		}
	}()
	c := embed.NewConfig()
	c.Name = "sealane"
	c.Dir = dir
	c.ListenClientUrls = []url.URL{listen}
	c.AdvertiseClientUrls = []url.URL{listen}
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	c.ListenPeerUrls = []url.URL{peer}
	c.AdvertisePeerUrls = []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = "1h"
	// Panics through the logger keep etcd's own reason; nothing is printed.
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(zapcore.NewNopCore(), zap.WithPanicHook(zapcore.WriteThenPanic)))
	if e, err = embed.StartEtcd(c); err != nil {
		return nil, fmt.Errorf("start the etcd of its own in %s, listening on %s: %w", dir, listen.Host, err)
	}
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case err = <-e.Err():
	case <-wait.Done():
		err = fmt.Errorf("not ready: %w", api.ErrTimeout)
	}
	e.Close()
	return nil, fmt.Errorf("start the etcd of its own in %s: %w", dir, err)
}

// watchEtcd returns when ctx ends, or the etcd of its own does: then with the reason.
func watchEtcd(ctx context.Context, e *embed.Etcd) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-e.Err():
		return fmt.Errorf("the etcd of its own ended: %w", errors.Join(err, api.ErrUnreachable))
	}
}
