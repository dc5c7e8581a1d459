package controller

import (
	"errors"
	"fmt"
	"maps"
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
	asked     []api.InstanceID                  // that the cloud was asked for, sorted
	instances map[api.InstanceID]cloud.Instance // nil: they could not be read
	lives     map[api.InstanceID]api.Life       // what the cloud adds: stopped, missing, gone
	astray    map[api.InstanceID]bool           // hosts whose uplink is unknown to the cloud, or on a vSwitch elsewhere
	unlisted  map[api.TableID]int               // routes that count against the quota and are not listed
	waiting   bool                              // an absent instance is waiting for its second reading
	gone      time.Duration                     // how long until that second reading counts
	at        time.Time                         // when the cloud was read as a whole
	err       error
}

// readWhole reports whether nothing is missing.
func (v view) readWhole() bool { return v.err == nil }

func (v *view) addError(err error) { v.err = errors.Join(v.err, err) }

// listing is what a table holds, or why it could not be read.
type listing struct {
	routes []api.Route
	err    error
}

// addRoutes takes the routes of these tables, in their order, from one of the readings.
func (v *view) addRoutes(tables []cloud.Table, readings ...map[api.TableID]listing) {
	for _, t := range tables {
		for _, lists := range readings {
			l, ok := lists[t.ID]
			if !ok {
				continue
			}
			if l.err != nil {
				v.addError(fmt.Errorf("read table %s: %w", t.ID, l.err))
				v.unread = append(v.unread, t.ID)
			}
			v.have = append(v.have, l.routes...)
		}
	}
}

// idsNotIn returns the ids that are not in the other list. Both are sorted.
func idsNotIn(ids, other []api.InstanceID) []api.InstanceID {
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

func (v view) hasVSwitch(id api.VSwitchID) bool {
	return slices.ContainsFunc(v.network.VSwitches, func(s cloud.VSwitch) bool { return s.ID == id })
}

func instancesByID(instances []cloud.Instance) map[api.InstanceID]cloud.Instance {
	m := make(map[api.InstanceID]cloud.Instance, len(instances))
	for _, i := range instances {
		m[i.ID] = i
	}
	return m
}

// withChanges is the view after these changes, each of which was read back.
func (v view) withChanges(results []cloud.Result) view {
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
