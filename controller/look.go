package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// look returns what the cloud holds: all of it read anew when that is due, else what was seen
// last, with the instances that are new. Between two full looks nothing is lost by that: a
// create meets whatever is there, and entries are read again before they are replaced or
// deleted. So the reads do not grow with the number of events, and a host that joins does
// not wait for a large table to be listed.
func (c *Controller) look(ctx context.Context, snap api.Snapshot) view {
	switch {
	case !time.Now().Before(c.due):
	case !c.seen.complete():
		return c.seen // a cloud that does not answer is asked again when that is due, not at each event
	default:
		if v, ok := c.glance(ctx, snap); ok {
			c.seen = v
			return v
		}
	}
	return c.fullLook(ctx, snap)
}

// fullLook reads everything, and says when the next one is due.
func (c *Controller) fullLook(ctx context.Context, snap api.Snapshot) view {
	v := c.observe(ctx, snap)
	c.due = time.Now().Add(c.config.Resync)
	if soon := nextLook(v); soon > 0 && soon < c.config.Resync {
		c.due = time.Now().Add(soon)
	}
	c.seen = v
	return v
}

// glance adds to the last view the instances that have come up since. It is false when these
// cannot be read, or are where the last view has nothing: on a new vSwitch, or at a new interface.
func (c *Controller) glance(ctx context.Context, snap api.Snapshot) (view, bool) {
	v := c.seen
	news := without(instancesIn(snap.Hosts, v.have, c.config.Cluster), v.asked)
	if len(news) > 0 {
		found, err := c.cloud.Instances(ctx, news)
		if err != nil {
			return v, false
		}
		v.instances = maps.Clone(v.instances)
		for _, i := range found {
			v.instances[i.ID] = i
		}
		v.asked = slices.Sorted(slices.Values(slices.Concat(v.asked, news)))
		v.lives = maps.Clone(v.lives)
		maps.Copy(v.lives, c.absent.judge(news, known(found), time.Now(), c.config.Gone))
		if slices.Contains(slices.Collect(maps.Values(v.lives)), api.LifeMissing) {
			v.waiting = true
			c.due = minTime(c.due, time.Now().Add(c.config.Gone))
		}
	}
	v.tables = tablesOf(v.network, snap.Hosts, v.instances)
	return v, v.places(snap.Hosts)
}

// places reports whether the view has the uplinks of all hosts in service, and their vSwitches.
// What a full look did not find is not looked for again by each event.
func (v view) places(hosts []api.Host) bool {
	for _, u := range uplinks(hosts, v) {
		lost := v.astray[u.host.Instance]
		if !lost && (!u.known || !v.has(u.VSwitch)) {
			return false
		}
	}
	return true
}

func (v view) has(id api.VSwitchID) bool {
	return slices.ContainsFunc(v.network.VSwitches, func(s cloud.VSwitch) bool { return s.ID == id })
}

func known(instances []cloud.Instance) map[api.InstanceID]cloud.Instance {
	m := make(map[api.InstanceID]cloud.Instance, len(instances))
	for _, i := range instances {
		m[i.ID] = i
	}
	return m
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// with is the view after these changes, each of which was read back.
func (v view) with(results []cloud.Result) view {
	changed := map[api.RouteKey]bool{}
	for _, r := range results {
		changed[r.Change.Route.Key()] = true
	}
	v.have = slices.DeleteFunc(slices.Clone(v.have), func(r api.Route) bool { return changed[r.Key()] })
	for _, r := range results {
		if r.Change.Verb != api.Delete {
			made := r.Change.Route
			made.State = api.RouteAvailable
			v.have = append(v.have, made)
		}
	}
	return v
}

// observe reads from the cloud all that the decision needs. What the look before saw says
// what to ask for, so that all of it is asked for at once; a second round is only for news.
func (c *Controller) observe(ctx context.Context, snap api.Snapshot) view {
	r := c.ask(ctx, instancesIn(snap.Hosts, c.seen.have, c.config.Cluster))
	v := view{instances: map[api.InstanceID]cloud.Instance{}, gone: c.config.Gone, network: r.network}
	if r.networkErr != nil {
		v.err = fmt.Errorf("read the network: %w", r.networkErr)
		return v
	}
	v.tables = tablesOf(v.network, snap.Hosts, nil)
	v.collect(v.network.Tables, r.lists, c.list(ctx, slices.DeleteFunc(slices.Clone(v.network.Tables), func(t cloud.Table) bool {
		_, read := r.lists[t.ID]
		return read
	})))
	v.unlisted = unlisted(v)
	v.asked = instancesIn(snap.Hosts, v.have, c.config.Cluster)
	if news := without(v.asked, r.asked); len(news) > 0 && r.instancesErr == nil {
		var more []cloud.Instance
		more, r.instancesErr = c.cloud.Instances(ctx, news)
		r.instances = append(r.instances, more...)
	}
	if r.instancesErr != nil {
		v.fail(fmt.Errorf("read the instances: %w", r.instancesErr))
		return v
	}
	v.instances = known(r.instances)
	v.tables = tablesOf(v.network, snap.Hosts, v.instances)
	if c.absent == nil {
		c.absent = goneBefore(snap.Pass)
	}
	v.lives = c.absent.judge(v.asked, v.instances, time.Now(), c.config.Gone)
	v.waiting = slices.Contains(slices.Collect(maps.Values(v.lives)), api.LifeMissing)
	v.astray = map[api.InstanceID]bool{}
	for _, u := range uplinks(snap.Hosts, v) {
		if !u.known {
			// Nothing is written toward an interface that is not the host's own.
			v.lives[u.host.Instance] = api.LifeMissing
		}
		v.astray[u.host.Instance] = !u.known || !v.has(u.VSwitch)
	}
	return v
}
