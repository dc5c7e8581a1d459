package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
	asked     []api.InstanceID // that the cloud was asked for, sorted
	instances map[api.InstanceID]cloud.Instance
	lives     map[api.InstanceID]api.Life // what the cloud adds: stopped, missing, gone
	astray    map[api.InstanceID]bool     // hosts whose uplink is unknown to the cloud, or on a vSwitch elsewhere
	unlisted  map[api.TableID]int         // entries that count against the quota and are not listed
	waiting   bool                        // an absent instance is waiting for its second look
	gone      time.Duration               // how long until that second look counts
	err       error
}

func (v view) complete() bool { return v.err == nil }

func (v *view) fail(err error) { v.err = errors.Join(v.err, err) }

// round is what was asked for at once, and the answers.
type round struct {
	asked                    []api.InstanceID
	network                  cloud.Network
	lists                    map[api.TableID]listing
	instances                []cloud.Instance
	networkErr, instancesErr error
}

// ask asks for the network, the tables of the look before and these instances at once.
func (c *Controller) ask(ctx context.Context, ids []api.InstanceID) round {
	r := round{asked: ids}
	var all sync.WaitGroup
	all.Go(func() { r.network, r.networkErr = c.cloud.Network(ctx) })
	all.Go(func() { r.lists = c.list(ctx, c.seen.network.Tables) })
	all.Go(func() { r.instances, r.instancesErr = c.cloud.Instances(ctx, ids) })
	all.Wait()
	return r
}

// listing is what a table holds, or why it could not be read.
type listing struct {
	routes []api.Route
	err    error
}

// list reads tables at the same time.
func (c *Controller) list(ctx context.Context, tables []cloud.Table) map[api.TableID]listing {
	answers := make([]listing, len(tables))
	var all sync.WaitGroup
	for i, t := range tables {
		all.Go(func() { answers[i].routes, answers[i].err = c.cloud.Routes(ctx, t.ID) })
	}
	all.Wait()
	lists := make(map[api.TableID]listing, len(tables))
	for i, t := range tables {
		lists[t.ID] = answers[i]
	}
	return lists
}

// collect takes the routes of these tables, in their order, from one of the rounds.
func (v *view) collect(tables []cloud.Table, rounds ...map[api.TableID]listing) {
	for _, t := range tables {
		for _, lists := range rounds {
			l, ok := lists[t.ID]
			if !ok {
				continue
			}
			if l.err != nil {
				v.fail(fmt.Errorf("read table %s: %w", t.ID, l.err))
				v.unread = append(v.unread, t.ID)
			}
			v.have = append(v.have, l.routes...)
		}
	}
}

// without returns the ids that are not in the other list. Both are sorted.
func without(ids, other []api.InstanceID) []api.InstanceID {
	return slices.DeleteFunc(slices.Clone(ids), func(id api.InstanceID) bool {
		_, found := slices.BinarySearch(other, id)
		return found
	})
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
		if uplink, ok := known[h.Instance].Uplink(h.Uplink); ok && uplink.VSwitch != "" {
			vswitch = uplink.VSwitch
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
// route of ours still points at though their record is lost. A host that left is only of
// interest while routes of it are there.
func instancesIn(hosts []api.Host, have []api.Route, cluster string) []api.InstanceID {
	ids := map[api.InstanceID]bool{}
	for _, h := range hosts {
		if h.Life != api.LifeLeft {
			ids[h.Instance] = true
		}
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
