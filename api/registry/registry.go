// Package registry is the contract between agents, controllers and operators, kept in
// etcd. Agents report their hosts and claim subnets, the leader publishes what became of
// them, and everybody reads snapshots: the whole registry at one revision. Everything lies
// under /sealane/<cluster>/v1/ as JSON that a person can read with etcdctl:
//
//	config               operator   pools, policy, guard
//	hosts/<instance>     agent      durable: what the agent reports
//	alive/<instance>     agent      under a lease: its agent is heard
//	seen/<instance>      agent      durable: its agent was heard once
//	subnets/<prefix>     agent      durable: who holds the prefix
//	routes/<prefix>      leader     what became of it in the cloud
//	pass                 leader     its last pass
//	changes/<time>       leader     audit, the newest thousand
//	leader/              controllers, see package leader
//
// A record that cannot be decoded is shown, by key, and never overwritten unless it is
// the writer's own and not of a newer version.
package registry

import (
	"context"
	"errors"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// Registry reads and writes one cluster's records. Its methods may be called from several
// goroutines. A call whose context has no deadline ends after etcd.CallTimeout. Errors are
// of the kinds of package api: ErrUnreachable, joined by ErrUnknown where a write may have
// happened, ErrDenied, ErrInvalid, ErrRefused, ErrDeposed, ErrNotFound.
type Registry struct {
	client *clientv3.Client
	root   string
	page   int64 // records in one answer
}

// New returns the registry of a cluster. The caller keeps and closes the client.
func New(client *clientv3.Client, cluster string) *Registry {
	return &Registry{client: client, root: rootKey(cluster), page: 500}
}

// record is one key of the registry, without the root, and its value.
type record struct {
	key      string
	value    []byte
	created  int64 // revision
	modified int64 // revision
}

// under returns the key without the area, and whether it lies in it.
func (r record) under(area string) (string, bool) { return strings.CutPrefix(r.key, area) }

// commitIf runs a transaction: then, if all the guards hold. It reports whether they did.
func (r *Registry) commitIf(ctx context.Context, doing string, guards []clientv3.Cmp, then []clientv3.Op) (bool, error) {
	resp, err := r.client.Txn(ctx).If(guards...).Then(then...).Commit()
	if err != nil {
		return false, etcd.WriteError(ctx, r.client, doing, err)
	}
	return resp.Succeeded, nil
}

// readAreas reads whole areas and single records, all at one revision, which it returns.
func (r *Registry) readAreas(ctx context.Context, doing string, areas ...string) ([]record, int64, error) {
	for {
		records, revision, err := r.readAreasOnce(ctx, areas)
		if err == nil {
			return records, revision, nil
		}
		err = etcd.ReadError(ctx, r.client, doing, err)
		if !errors.Is(err, api.ErrCompacted) {
			return nil, 0, err
		}
		// The revision was compacted away between two pages: take a new one.
	}
}

// readAreasOnce takes the first page of every area in one transaction, which fixes the
// revision, and the further pages at that revision.
func (r *Registry) readAreasOnce(ctx context.Context, areas []string) ([]record, int64, error) {
	var ops []clientv3.Op
	for _, area := range areas {
		ops = append(ops, clientv3.OpGet(r.root+area, r.areaRange(area)...))
	}
	first, err := r.client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return nil, 0, err
	}
	revision := first.Header.Revision
	var records []record
	for i, area := range areas {
		page := (*clientv3.GetResponse)(first.Responses[i].GetResponseRange())
		records = r.appendPage(records, page)
		for page.More {
			next := string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
			end := clientv3.GetPrefixRangeEnd(r.root + area)
			page, err = r.client.Get(ctx, next, clientv3.WithRange(end), clientv3.WithLimit(r.page), clientv3.WithRev(revision))
			if err != nil {
				return nil, 0, err
			}
			records = r.appendPage(records, page)
		}
	}
	return records, revision, nil
}

func (r *Registry) areaRange(area string) []clientv3.OpOption {
	if !strings.HasSuffix(area, "/") {
		return nil
	}
	return []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithLimit(r.page)}
}

func (r *Registry) appendPage(records []record, page *clientv3.GetResponse) []record {
	for _, kv := range page.Kvs {
		records = append(records, record{
			key:      strings.TrimPrefix(string(kv.Key), r.root),
			value:    kv.Value,
			created:  kv.CreateRevision,
			modified: kv.ModRevision,
		})
	}
	return records
}
