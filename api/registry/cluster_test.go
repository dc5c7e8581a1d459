package registry_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcdtest"
)

// A cluster of three loses the member that leads it: reports, watches and presence go on.
func TestClusterSurvivesItsLeader(t *testing.T) {
	c := etcdtest.Cluster(t)
	r := registry.New(c.Client, "test")
	mustReport(t, r, "i-0")
	wake := r.Watch(t.Context(), api.AreaHosts)
	awake(t, wake, "the start")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.KeepAlive(ctx, "i-0", "boot", 5*time.Second) }()
	drain(wake)

	c.KillLeader()
	n := 0
	eventually(t, "can write again", func() bool {
		n++
		call, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := r.Report(call, report(fmt.Sprintf("i-%d", n)))
		return err == nil
	})
	awake(t, wake, "a report to those that are left")
	eventually(t, "alive", func() bool {
		snapshot, err := r.Snapshot(t.Context())
		return err == nil && snapshot.Hosts[0].Life == api.LifeAlive
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("KeepAlive: %v", err)
	}
}
