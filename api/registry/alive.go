package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// KeepAlive shows the host's agent as alive until the context ends, then returns nil. The
// record lies under a lease of ttl, in whole seconds, two at least: an agent that restarts
// within it stays alive throughout, so nothing is withdrawn at the end. While etcd is out
// of reach it goes on trying, and puts the record back once the lease was lost. Its only
// error is ErrInvalid.
func (r *Registry) KeepAlive(ctx context.Context, id api.InstanceID, bootID string, ttl time.Duration) error {
	if err := checkInstance(id); err != nil {
		return err
	}
	ttl = max(ttl, 2*time.Second)
	for ctx.Err() == nil {
		lease, err := r.appear(ctx, id, bootID, ttl)
		if err == nil {
			r.renew(ctx, lease, ttl)
		}
		// The lease is gone, or could not be had: a little rest, then a new one.
		if etcd.Pause(ctx, ttl/10+rand.N(ttl/10)) != nil {
			break
		}
	}
	return nil
}

// appear puts the record under a new lease. An agent that restarts on a host that did not
// keeps its former time.
func (r *Registry) appear(ctx context.Context, id api.InstanceID, bootID string, ttl time.Duration) (clientv3.LeaseID, error) {
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	alive, seen := areaAlive+string(id), areaSeen+string(id)
	records, _, err := r.readAreas(ctx, "read the presence", alive)
	if err != nil {
		return 0, err
	}
	p := presence{Instance: id, BootID: bootID, Since: time.Now().UTC()}
	for _, rec := range records {
		if was, err := decodePresence(string(id), rec.value); err == nil && was.BootID == bootID {
			p.Since = was.Since
		}
	}
	value, err := encodeRecord(alive, p, recordLimit)
	if err != nil {
		return 0, err
	}
	lease, err := r.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return 0, etcd.WriteError(ctx, r.client, "get a lease", err)
	}
	_, err = r.commitIf(ctx, "show host as alive", nil, []clientv3.Op{
		clientv3.OpPut(r.root+alive, value, clientv3.WithLease(lease.ID)),
		clientv3.OpPut(r.root+seen, value),
	})
	return lease.ID, err
}

// renew holds the lease until it is lost or the context ends. A renewal that gets no
// answer is tried again: the lease may hold still. It asks for no leader: the client
// would repeat the refusal of a leaderless member without a rest.
func (r *Registry) renew(ctx context.Context, lease clientv3.LeaseID, ttl time.Duration) {
	for etcd.Pause(ctx, ttl/3) == nil {
		call, cancel := context.WithTimeout(ctx, ttl/3)
		_, err := r.client.KeepAliveOnce(call, lease)
		err = etcd.WriteError(call, r.client, "renew the lease", err)
		cancel()
		if errors.Is(err, api.ErrNotFound) {
			return
		}
	}
}
