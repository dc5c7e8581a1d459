package registry

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// Snapshot reads the whole registry at one revision, from etcd's leader. What cannot be
// decoded is listed in Unreadable and makes the snapshot incomplete.
func (r *Registry) Snapshot(ctx context.Context) (api.Snapshot, error) {
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	records, revision, err := r.readAreas(ctx, "read the registry",
		areaConfig, areaPass, areaHosts, areaAlive, areaSeen, areaSubnets, areaRoutes)
	if err != nil {
		return api.Snapshot{}, err
	}
	v := view{
		snapshot: api.Snapshot{Revision: revision},
		alive:    map[string]presence{},
		seen:     map[string]bool{},
	}
	for _, rec := range records {
		if err := v.addRecord(rec); err != nil {
			v.snapshot.Unreadable = append(v.snapshot.Unreadable, api.Unreadable{Key: r.root + rec.key, Problem: err.Error()})
		}
	}
	return v.whole(), nil
}

// view gathers the records of one revision.
type view struct {
	snapshot api.Snapshot
	alive    map[string]presence
	seen     map[string]bool
}

// add files a record; the error says why it is unreadable.
func (v *view) addRecord(rec record) error {
	s := &v.snapshot
	if key, ok := rec.under(areaHosts); ok {
		report, err := decodeReport(key, rec.value)
		return addIfRead(&s.Hosts, api.Host{Report: report, Revision: rec.modified}, err)
	}
	if key, ok := rec.under(areaAlive); ok {
		// The key alone proves that the lease holds; the content only adds since when.
		p, err := decodePresence(key, rec.value)
		v.alive[key] = p
		return err
	}
	if key, ok := rec.under(areaSeen); ok {
		v.seen[key] = true
		return nil
	}
	if key, ok := rec.under(areaSubnets); ok {
		claim, err := decodeClaim(key, rec.value)
		claim.Revision = rec.created
		return addIfRead(&s.Claims, claim, err)
	}
	if key, ok := rec.under(areaRoutes); ok {
		status, err := decodeRoute(key, rec.value)
		return addIfRead(&s.Routes, status, err)
	}
	if rec.key == areaPass {
		pass, err := decodePass(rec.value)
		return setIfRead(&s.Pass, pass, err)
	}
	config, err := decodeConfig(rec.value)
	return setIfRead(&s.Config, config, err)
}

func addIfRead[T any](list *[]T, item T, err error) error {
	if err == nil {
		*list = append(*list, item)
	}
	return err
}

func setIfRead[T any](place **T, item T, err error) error {
	if err == nil {
		*place = &item
	}
	return err
}

// whole sorts everything and gives each host its life and its claims.
func (v *view) whole() api.Snapshot {
	s := v.snapshot
	slices.SortFunc(s.Claims, func(a, b api.Claim) int { return api.ComparePrefixes(a.Prefix, b.Prefix) })
	slices.SortFunc(s.Routes, func(a, b api.RouteStatus) int { return api.ComparePrefixes(a.Destination, b.Destination) })
	slices.SortFunc(s.Hosts, func(a, b api.Host) int { return cmp.Compare(a.Instance, b.Instance) })
	claims := map[api.InstanceID][]api.Claim{}
	for _, c := range s.Claims {
		claims[c.Instance] = append(claims[c.Instance], c)
	}
	for i := range s.Hosts {
		h := &s.Hosts[i]
		h.Claims = claims[h.Instance]
		for _, c := range h.Claims {
			h.Revision = max(h.Revision, c.Revision)
		}
		h.Life, h.Since = v.life(h.Report)
	}
	return s
}

func (v *view) life(r api.Report) (life api.Life, since time.Time) {
	p, alive := v.alive[string(r.Instance)]
	switch {
	case r.Left:
		return api.LifeLeft, p.Since
	case alive:
		return api.LifeAlive, p.Since
	case v.seen[string(r.Instance)]:
		return api.LifeSilent, p.Since
	default:
		return api.LifeRegistered, p.Since
	}
}
