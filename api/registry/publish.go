package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// Publish writes what the leader of this term has to say, each transaction on condition
// that the term still holds; ErrDeposed says that it does not. Of the routes it writes
// those that differ from what is there, keeps the Since of those whose stage is the same,
// and removes those not published any more. The pass comes last: who sees it sees the rest.
//
// Claims of released hosts go, unless they were renewed meanwhile.
//
// ErrRefused: records of a newer version were left as they are; all else was written.
func (r *Registry) Publish(ctx context.Context, term api.Term, p api.Publication) error {
	if term.Key == "" || term.Revision <= 0 {
		return deposedError(term) // revision 0 would hold exactly when nobody has the key
	}
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	records, _, err := r.readAreas(ctx, "read what is published", areaRoutes, areaPass)
	if err != nil {
		return err
	}
	var d draft
	if err := d.writeAll(records, term, p); err != nil {
		return err
	}
	if err := r.release(ctx, term, p.Release); err != nil {
		return err
	}
	for _, batch := range d.batches() {
		if err := r.commitAsLeader(ctx, term, r.ops(batch)); err != nil {
			return err
		}
	}
	if len(p.Applied) > 0 {
		if err := r.trim(ctx, term); err != nil {
			return err
		}
	}
	return d.refused
}

// commitAsLeader commits the operations if the term still holds.
func (r *Registry) commitAsLeader(ctx context.Context, term api.Term, ops []clientv3.Op) error {
	done, err := r.commitIf(ctx, "publish", []clientv3.Cmp{leaderGuard(term)}, ops)
	if err == nil && !done {
		err = deposedError(term)
	}
	return err
}

// leaderGuard guards that the term is not over: its leader's key is still the one it won with.
func leaderGuard(term api.Term) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(term.Key), "=", term.Revision)
}

func deposedError(term api.Term) error {
	return fmt.Errorf("publish in term %d of %s: %w", term.Revision, term.Leader, api.ErrDeposed)
}

func (r *Registry) ops(puts []put) []clientv3.Op {
	var ops []clientv3.Op
	for _, e := range puts {
		if e.value == "" {
			ops = append(ops, clientv3.OpDelete(r.root+e.key))
		} else {
			ops = append(ops, clientv3.OpPut(r.root+e.key, e.value))
		}
	}
	return ops
}

// put is a record to write, or with an empty value to remove.
type put struct{ key, value string }

// draft is a publication on its way into the registry.
type draft struct {
	puts    []put
	refused error // of the records that are of a newer version
}

func (d *draft) put(key string, body any, limit int) error {
	value, err := encodeRecord(key, body, limit)
	if err == nil {
		d.puts = append(d.puts, put{key, value})
	}
	return err
}

// writeAll holds the publication against what is there.
func (d *draft) writeAll(records []record, term api.Term, p api.Publication) error {
	there := map[string][]byte{}
	for _, rec := range records {
		there[rec.key] = rec.value
	}
	wanted := map[string]bool{}
	for _, status := range p.Routes {
		key := areaRoutes + prefixKey(status.Destination)
		if wanted[key] {
			return fmt.Errorf("publish route %s twice: %w", status.Destination, api.ErrInvalid)
		}
		wanted[key] = true
		if err := d.writeRoute(key, there[key], status); err != nil {
			return err
		}
	}
	for _, rec := range records {
		// What cannot be read is left for a person to see, unless it is written again.
		key, isRoute := rec.under(areaRoutes)
		if _, err := decodeRoute(key, rec.value); isRoute && err == nil && !wanted[rec.key] {
			d.puts = append(d.puts, put{key: rec.key})
		}
	}
	for i, a := range p.Applied {
		a.Term = term
		if err := d.put(changeKey(a, i), a, recordLimit); err != nil {
			return err
		}
	}
	if d.isNewer(areaPass, there[areaPass]) {
		return nil
	}
	return d.put(areaPass, p.Pass, passLimit)
}

func (d *draft) writeRoute(key string, there []byte, status api.RouteStatus) error {
	if err := checkPrefix(status.Destination); err != nil {
		return fmt.Errorf("publish route: %w: %w", err, api.ErrInvalid)
	}
	if d.isNewer(key, there) {
		return nil
	}
	was, err := decodeRecord[api.RouteStatus](there, recordLimit)
	switch {
	case err == nil && was.Equal(status):
		return nil
	case err == nil && was.Stage == status.Stage && was.Host == status.Host:
		status.Since = was.Since
	case status.Since.IsZero():
		status.Since = time.Now().UTC()
	}
	return d.put(key, status, recordLimit)
}

// isNewer reports whether a later program wrote the record, and remembers to say so.
func (d *draft) isNewer(key string, there []byte) bool {
	_, err := decodeRecord[struct{}](there, passLimit)
	if !errors.Is(err, errNewer) {
		return false
	}
	d.refused = errors.Join(d.refused, tooNewError(key, err))
	return true
}

// batches cuts the puts into transactions that etcd takes, in the same order. The pass
// comes last and alone.
func (d *draft) batches() [][]put {
	var batches [][]put
	var size int
	for _, e := range d.puts {
		size += len(e.key) + len(e.value)
		n := len(batches)
		if n == 0 || len(batches[n-1]) == txnLimit || size > passLimit || e.key == areaPass {
			batches = append(batches, nil)
			n, size = n+1, len(e.key)+len(e.value)
		}
		batches[n-1] = append(batches[n-1], e)
	}
	return batches
}
