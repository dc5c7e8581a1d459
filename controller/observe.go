package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// view is what one pass saw of the cloud. A part that could not be read makes it incomplete.
type view struct {
	network   cloud.Network
	tables    []api.TableID // tables the hosts' vSwitches use
	unread    []api.TableID // of them, those whose routes could not be read
	have      []api.Route
	instances map[api.InstanceID]cloud.Instance
	lives     map[api.InstanceID]api.Life // what the cloud adds: stopped, missing, gone
	waiting   bool                        // an absent instance is waiting for its second look
	gone      time.Duration               // how long until that second look counts
	err       error
}

func (v view) complete() bool { return v.err == nil }

// observe reads from the cloud all that the decision needs.
func (c *Controller) observe(ctx context.Context, snap api.Snapshot) view {
	v := view{instances: map[api.InstanceID]cloud.Instance{}, gone: c.config.Gone}
	network, err := c.cloud.Network(ctx)
	if err != nil {
		v.err = fmt.Errorf("read the network: %w", err)
		return v
	}
	v.network = network
	v.tables = tablesOf(network, snap.Hosts, nil)
	for _, table := range network.Tables {
		routes, err := c.cloud.Routes(ctx, table.ID)
		if err != nil {
			v.err = errors.Join(v.err, fmt.Errorf("read table %s: %w", table.ID, err))
			v.unread = append(v.unread, table.ID)
			continue
		}
		v.have = append(v.have, routes...)
	}
	ids := instancesIn(snap.Hosts, v.have, c.config.Cluster)
	instances, err := c.cloud.Instances(ctx, ids)
	if err != nil {
		v.err = errors.Join(v.err, fmt.Errorf("read the instances: %w", err))
		return v
	}
	for _, i := range instances {
		v.instances[i.ID] = i
	}
	v.tables = tablesOf(network, snap.Hosts, v.instances)
	if c.absent == nil {
		c.absent = goneBefore(snap.Pass)
	}
	v.lives = c.absent.judge(ids, v.instances, time.Now(), c.config.Gone)
	v.waiting = slices.Contains(slices.Collect(maps.Values(v.lives)), api.LifeMissing)
	return v
}

// tablesOf returns the tables that serve the vSwitches of the hosts: each must carry every
// route, or some hosts are blind. Where the cloud knows a host's vSwitch, its word counts.
func tablesOf(n cloud.Network, hosts []api.Host, known map[api.InstanceID]cloud.Instance) []api.TableID {
	used := map[api.TableID]bool{}
	for _, h := range hosts {
		if h.VPC != n.VPC || h.Life.Withdraws() {
			continue
		}
		vswitch := h.VSwitch
		if i, ok := known[h.Instance]; ok {
			vswitch = i.VSwitch
		}
		for _, s := range n.VSwitches {
			if s.ID == vswitch {
				used[s.Table] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(used)), func(id api.TableID) bool {
		return !slices.ContainsFunc(n.Tables, func(t cloud.Table) bool { return t.ID == id })
	})
}

// instancesIn names every instance whose life matters: reporting hosts, and those that a
// route of ours still points at though their record is lost.
func instancesIn(hosts []api.Host, have []api.Route, cluster string) []api.InstanceID {
	ids := map[api.InstanceID]bool{}
	for _, h := range hosts {
		ids[h.Instance] = true
	}
	for _, r := range have {
		if r.OwnedBy(cluster) {
			ids[r.Mark.Host] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// absences remembers since when the cloud has not known an instance.
type absences map[api.InstanceID]time.Time

// goneBefore takes over from the last leader what it had found gone, so that a change of
// leadership does not doubt it anew. The cloud is asked once more all the same.
func goneBefore(last *api.Pass) absences {
	a := absences{}
	if last == nil {
		return a
	}
	for _, h := range last.Hosts {
		if h.Life == api.LifeGone {
			a[h.Instance] = time.Unix(0, 0)
		}
	}
	return a
}

// judge gives the life of each instance whose life is not simply running. An instance is gone
// only when two reads, the settle time apart, did not name it while both named another one:
// an answer that knows none of our instances proves nothing.
func (a absences) judge(asked []api.InstanceID, known map[api.InstanceID]cloud.Instance, now time.Time, settle time.Duration) map[api.InstanceID]api.Life {
	lives := map[api.InstanceID]api.Life{}
	for _, id := range asked {
		instance, ok := known[id]
		switch {
		case ok:
			delete(a, id)
			if instance.Status == cloud.Stopped {
				lives[id] = api.LifeStopped
			}
		case len(known) == 0:
			lives[id] = api.LifeMissing
		case a[id].IsZero():
			a[id] = now
			lives[id] = api.LifeMissing
		case now.Sub(a[id]) < settle:
			lives[id] = api.LifeMissing
		default:
			lives[id] = api.LifeGone
		}
	}
	return lives
}

// admitsAll reports whether the instance's security groups let every pool in.
func admitsAll(i cloud.Instance, pools []netip.Prefix) bool {
	return !slices.ContainsFunc(pools, func(pool netip.Prefix) bool {
		return !slices.ContainsFunc(i.Admits, func(p netip.Prefix) bool {
			return p.Bits() <= pool.Bits() && p.Contains(pool.Addr())
		})
	})
}
