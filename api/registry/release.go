package registry

import (
	"context"
	"fmt"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
)

// release removes the claims of hosts that are gone, each only as it was read: a claim that
// was given to another host meanwhile stays.
func (r *Registry) release(ctx context.Context, term api.Term, gone []api.InstanceID) error {
	if len(gone) == 0 {
		return nil
	}
	records, _, err := r.list(ctx, "read the claims", areaSubnets)
	if err != nil {
		return err
	}
	for _, rec := range records {
		key, _ := rec.under(areaSubnets)
		claim, err := decodeClaim(key, rec.value)
		if err != nil || !slices.Contains(gone, claim.Instance) {
			continue
		}
		place := r.root + rec.key
		guards := []clientv3.Cmp{
			clientv3.Compare(clientv3.CreateRevision(term.Key), "=", term.Revision),
			clientv3.Compare(clientv3.ModRevision(place), "=", rec.modified),
		}
		if _, err := r.commit(ctx, fmt.Sprintf("release %s of %s", claim.Prefix, claim.Instance), guards, []clientv3.Op{clientv3.OpDelete(place)}); err != nil {
			return err
		}
	}
	return nil
}
