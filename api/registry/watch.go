package registry

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// Watch wakes the receiver when something in the areas, or with none given in any area,
// has changed, and whenever it cannot know that nothing has: at the start, and after each
// gap: a lost connection, a restart of etcd or compacted history. Wakes that nobody
// waits for become one. The channel carries no news: read a Snapshot. It is closed soon
// after the context ends.
func (r *Registry) Watch(ctx context.Context, areas ...api.Area) <-chan struct{} {
	wake := make(chan struct{}, 1)
	go func() {
		defer close(wake)
		for ctx.Err() == nil {
			r.watchOnce(ctx, watchedKeys(areas), wake)
			_ = etcd.Pause(ctx, 100*time.Millisecond+rand.N(400*time.Millisecond))
		}
	}()
	return wake
}

// watchedKeys lists the places to watch. What lies in seen/ changes with alive/ only.
func watchedKeys(areas []api.Area) []string {
	if len(areas) == 0 {
		areas = []api.Area{api.AreaHosts, api.AreaRoutes, api.AreaConfig, api.AreaPass}
	}
	var places []string
	for _, a := range areas {
		switch a {
		case api.AreaHosts:
			places = append(places, areaHosts, areaAlive, areaSubnets)
		case api.AreaRoutes:
			places = append(places, areaRoutes)
		case api.AreaConfig:
			places = append(places, areaConfig)
		case api.AreaPass:
			places = append(places, areaPass)
		}
	}
	return places
}

// watchOnce watches all places until one of the watches ends. Starting over from the
// present, with a wake, is always right, so no revision has to be remembered.
func (r *Registry) watchOnce(ctx context.Context, places []string, wake chan<- struct{}) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	var group sync.WaitGroup
	for _, place := range places {
		options := []clientv3.OpOption{clientv3.WithCreatedNotify()}
		if strings.HasSuffix(place, "/") {
			options = append(options, clientv3.WithPrefix())
		}
		group.Go(func() {
			defer cancel()
			for resp := range r.client.Watch(ctx, r.root+place, options...) {
				if resp.Err() != nil {
					return
				}
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		})
	}
	group.Go(func() {
		defer cancel()
		r.awaitReconnect(ctx)
	})
	group.Wait()
}

// awaitReconnect returns when the connection was lost and is back. The etcd client resumes
// its watches by itself, at the revision where they were. An etcd that came back with less
// than it had, from a backup or an empty disk, would then be silent for a long time.
func (r *Registry) awaitReconnect(ctx context.Context) {
	conn := r.client.ActiveConnection()
	if conn == nil { // a client within etcd's own process
		<-ctx.Done()
		return
	}
	state, lost := conn.GetState(), false
	for conn.WaitForStateChange(ctx, state) {
		was := state
		state = conn.GetState()
		lost = lost || was == connectivity.Ready
		if lost && state == connectivity.Ready {
			return
		}
	}
}
