package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/sealane/sealane/api"
)

// startEtcd runs an etcd inside this process, for one replica: a trial or a small site. It
// listens for agents where --etcd-listen says, and for peers nowhere that can be reached.
func startEtcd(ctx context.Context, dir string, listen url.URL) (stop func(), err error) {
	c := embed.NewConfig()
	c.Name = "sealane"
	c.Dir = dir
	c.ListenClientUrls = []url.URL{listen}
	c.AdvertiseClientUrls = []url.URL{listen}
	peer := url.URL{Scheme: "unix", Host: "sealane-peer:0"}
	c.ListenPeerUrls = []url.URL{peer}
	c.AdvertisePeerUrls = []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = "1h"
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("start the etcd of its own in %s, listening on %s: %w", dir, listen.Host, err)
	}
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case <-e.Server.ReadyNotify():
		return e.Close, nil
	case err = <-e.Err():
	case <-wait.Done():
		err = fmt.Errorf("not ready: %w", api.ErrTimeout)
	}
	e.Close()
	return nil, fmt.Errorf("start the etcd of its own in %s: %w", dir, err)
}
