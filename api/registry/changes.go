package registry

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// changesKept is how many applied changes the registry remembers: weeks of an ordinary
// cluster, and at half a KiB each a small part of etcd's 2 GiB.
const changesKept = 1000

// changeKey orders changes by time. Repeating a publication writes the same keys again.
func changeKey(a api.Applied, i int) string {
	return fmt.Sprintf("%s%s-%d-%04d", areaChanges, a.At.UTC().Format("20060102T150405.000000000Z"), a.Term.Revision, i)
}

// Changes returns the newest applied changes, newest first, limit at most. Records that
// cannot be decoded are returned by key.
func (r *Registry) Changes(ctx context.Context, limit int) ([]api.Applied, []api.Unreadable, error) {
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	resp, err := r.client.Get(ctx, r.root+areaChanges, clientv3.WithPrefix(),
		clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithLimit(int64(limit)))
	if err != nil {
		return nil, nil, etcd.ReadError(ctx, r.client, "read the changes", err)
	}
	var changes []api.Applied
	var unreadable []api.Unreadable
	for _, kv := range resp.Kvs {
		change, err := decodeRecord[api.Applied](kv.Value, recordLimit)
		if err != nil {
			unreadable = append(unreadable, api.Unreadable{Key: string(kv.Key), Problem: err.Error()})
			continue
		}
		changes = append(changes, change)
	}
	return changes, unreadable, nil
}

// trim forgets the oldest changes beyond those that are kept.
func (r *Registry) trim(ctx context.Context, term api.Term) error {
	key := r.root + areaChanges
	count, err := r.client.Get(ctx, key, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return etcd.ReadError(ctx, r.client, "count the changes", err)
	}
	surplus := count.Count - changesKept
	if surplus <= 0 {
		return nil
	}
	oldest, err := r.client.Get(ctx, key, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(surplus))
	if err != nil {
		return etcd.ReadError(ctx, r.client, "read the oldest changes", err)
	}
	if len(oldest.Kvs) == 0 {
		return nil
	}
	end := string(oldest.Kvs[len(oldest.Kvs)-1].Key) + "\x00"
	return r.commitAsLeader(ctx, term, []clientv3.Op{clientv3.OpDelete(key, clientv3.WithRange(end))})
}
