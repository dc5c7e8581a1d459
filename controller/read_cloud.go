package controller

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// readCloud returns what the cloud holds: all of it read anew when that is due, else what was
// read last, with the instances that are new. Between two full readings nothing is lost by
// that: a create meets whatever is there, and routes are read again before they are replaced or
// deleted. So the reads do not grow with the number of events, and a host that joins does not
// wait for a large table to be listed.
func (t *term) readCloud(ctx context.Context, snap api.Snapshot) view {
	switch {
	case !time.Now().Before(t.due):
	case !t.seen.readWhole():
		return t.seen // a cloud that does not answer is asked again when that is due, not at each event
	default:
		if v, ok := t.readNew(ctx, snap); ok {
			t.seen = v
			return v
		}
	}
	return t.readAll(ctx, snap)
}

// readNew adds to the last view the instances that have come up since. It is false when these
// cannot be read, or are where the last view has nothing: on a new vSwitch, or at a new interface.
func (t *term) readNew(ctx context.Context, snap api.Snapshot) (view, bool) {
	v := t.seen
	newer := idsNotIn(instancesIn(snap.Hosts, v.have, t.config.Cluster), v.asked)
	if len(newer) > 0 {
		found, err := t.cloud.Instances(ctx, newer)
		if err != nil {
			return v, false
		}
		v.instances = maps.Clone(v.instances)
		for _, i := range found {
			v.instances[i.ID] = i
		}
		v.asked = slices.Sorted(slices.Values(slices.Concat(v.asked, newer)))
		v.lives = maps.Clone(v.lives)
		maps.Copy(v.lives, t.absent.livesOf(newer, instancesByID(found), time.Now(), t.config.Gone))
		if slices.Contains(slices.Collect(maps.Values(v.lives)), api.LifeMissing) {
			v.waiting = true
			if soon := time.Now().Add(t.config.Gone); soon.Before(t.due) {
				t.due = soon
			}
		}
	}
	v.tables = tablesOf(v.network, snap.Hosts, v.instances)
	return v, v.places(snap.Hosts)
}

// places reports whether the view has the uplinks of all hosts in service, and their vSwitches.
// What was not found when everything was read is not asked for again by each event.
func (v view) places(hosts []api.Host) bool {
	for _, u := range uplinksOf(hosts, v) {
		lost := v.astray[u.host.Instance]
		if !lost && (!u.known || !v.hasVSwitch(u.VSwitch)) {
			return false
		}
	}
	return true
}

// readAll reads everything, and says when that is due again.
func (t *term) readAll(ctx context.Context, snap api.Snapshot) view {
	v := t.readView(ctx, snap)
	t.due = time.Now().Add(t.config.Resync)
	if soon := nextReading(v); soon > 0 && soon < t.config.Resync {
		t.due = time.Now().Add(soon)
	}
	t.seen = v
	return v
}

// nextReading brings the next full reading forward while the cloud is working on a route, or
// while an absent instance waits for its second reading.
func nextReading(v view) time.Duration {
	moving := slices.ContainsFunc(v.have, func(r api.Route) bool { return r.State != api.RouteAvailable })
	switch {
	case moving:
		return 2 * time.Second
	case v.waiting:
		return v.gone
	default:
		return 0
	}
}

// readView reads from the cloud all that the decision needs. What the reading before saw says
// what to ask for, so that all of it is asked for at once; a second round is only for news.
func (t *term) readView(ctx context.Context, snap api.Snapshot) view {
	r := t.readRound(ctx, instancesIn(snap.Hosts, t.seen.have, t.config.Cluster))
	v := view{gone: t.config.Gone, network: r.network}
	if r.networkErr != nil {
		v.err = r.networkErr // it says what was read, as the next one does
		return v
	}
	v.tables = tablesOf(v.network, snap.Hosts, nil)
	v.addRoutes(v.network.Tables, r.lists, t.readTables(ctx, slices.DeleteFunc(slices.Clone(v.network.Tables), func(table cloud.Table) bool {
		_, read := r.lists[table.ID]
		return read
	})))
	v.unlisted = unlisted(v)
	v.asked = instancesIn(snap.Hosts, v.have, t.config.Cluster)
	if newer := idsNotIn(v.asked, r.asked); len(newer) > 0 && r.instancesErr == nil {
		var more []cloud.Instance
		more, r.instancesErr = t.cloud.Instances(ctx, newer)
		r.instances = append(r.instances, more...)
	}
	if r.instancesErr != nil {
		v.addError(r.instancesErr)
		return v
	}
	t.placeInstances(&v, snap, r.instances)
	if v.readWhole() {
		v.at = time.Now().UTC()
	}
	return v
}

// placeInstances adds the instances to a view, and what they say of hosts.
func (t *term) placeInstances(v *view, snap api.Snapshot, instances []cloud.Instance) {
	v.instances = instancesByID(instances)
	v.tables = tablesOf(v.network, snap.Hosts, v.instances)
	if t.absent == nil {
		t.absent = goneBefore(snap.Pass)
	}
	v.lives = t.absent.livesOf(v.asked, v.instances, time.Now(), t.config.Gone)
	v.waiting = slices.Contains(slices.Collect(maps.Values(v.lives)), api.LifeMissing)
	v.astray = map[api.InstanceID]bool{}
	for _, u := range uplinksOf(snap.Hosts, *v) {
		if !u.known {
			// Nothing is written toward an interface that is not the host's own.
			v.lives[u.host.Instance] = api.LifeMissing
		}
		v.astray[u.host.Instance] = !u.known || !v.hasVSwitch(u.VSwitch)
	}
}

// round is what was asked for at once, and the answers.
type round struct {
	asked                    []api.InstanceID
	network                  cloud.Network
	lists                    map[api.TableID]listing
	instances                []cloud.Instance
	networkErr, instancesErr error
}

// readRound asks for the network, the tables of the reading before and these instances at once.
func (t *term) readRound(ctx context.Context, ids []api.InstanceID) round {
	r := round{asked: ids}
	var all sync.WaitGroup
	all.Go(func() { r.network, r.networkErr = t.cloud.Network(ctx) })
	all.Go(func() { r.lists = t.readTables(ctx, t.seen.network.Tables) })
	all.Go(func() { r.instances, r.instancesErr = t.cloud.Instances(ctx, ids) })
	all.Wait()
	return r
}

// readTables reads tables at the same time.
func (t *term) readTables(ctx context.Context, tables []cloud.Table) map[api.TableID]listing {
	answers := make([]listing, len(tables))
	var all sync.WaitGroup
	for i, table := range tables {
		all.Go(func() { answers[i].routes, answers[i].err = t.cloud.Routes(ctx, table.ID) })
	}
	all.Wait()
	lists := make(map[api.TableID]listing, len(tables))
	for i, table := range tables {
		lists[table.ID] = answers[i]
	}
	return lists
}
