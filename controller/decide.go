package controller

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/controller/plan"
)

// decision is the outcome of one pass before anything is done: the plan, and what is
// published with it.
type decision struct {
	blind        bool // nothing could be decided: the plan is the last one, to be shown and not to be made
	config       api.Config
	hosts        []api.Host // with the cloud's word
	plan         api.Plan
	routes       []api.RouteStatus
	release      []api.InstanceID // hosts that are gone: others may have their subnets once no route is left
	lives        []api.HostLife
	tables       []api.TableUse
	managed      managed  // what was changed beside routes, in all
	adopted      []string // ids of entries whose adoption was used
	findings     []api.Finding
	cloudProblem string
}

// decide is pure: the same snapshot and view give the same decision.
func decide(cluster string, snap api.Snapshot, v view, now time.Time) decision {
	d := decision{config: configOf(snap)}
	hosts := hostsWith(snap.Hosts, v.lives)
	d.hosts, d.managed, d.adopted = hosts, managedIn(snap.Pass).settled(v, d.config), adoptedBefore(snap)
	d.findings = findings(snap, hosts, v, d.config)
	if v.err != nil {
		d.cloudProblem = v.err.Error()
	}
	if v.network.VPC == "" || d.config.Validate() != nil {
		d.keep(snap)
		return d
	}
	want, conflicts := plan.Desired(hosts, v.have, plan.Rules{
		Cluster: cluster, VPC: v.network.VPC, Pools: d.config.Pools,
		VSwitches: vswitches(v.network), Tables: v.tables,
	})
	guard := plan.Guard{
		Cluster: cluster, Policy: d.config.Policy, Pools: d.config.Pools,
		RegistryComplete: snap.Complete(), CloudComplete: v.complete(),
		Deletes: d.config.Guard, Confirmed: d.config.Confirmed,
		Adopt: usable(d.config.Adopt, d.adopted), Accepted: d.config.Accepted, Revision: snap.Revision,
		Quota: quotas(v), Hosts: hosts, Written: written(snap.Routes),
	}
	d.plan = plan.Diff(readable(want, v.unread), v.have, guard)
	d.plan.Conflicts = conflicts
	d.routes = routeStatus(snap, want, v, d.plan, d.config.Pools, now)
	d.lives = hostLives(v.lives)
	d.tables = tableUse(cluster, v, snap.Pass, now)
	d.findings = append(d.findings, filling(d.tables, d.plan, now)...)
	if newest := guard.Ahead(v.have); newest > 0 {
		d.findings = append(d.findings, restored(newest, snap.Revision))
	}
	d.release = releasable(cluster, hosts, v)
	return d
}

// keep shows what was published last, since without the network or a usable configuration
// nothing can be decided.
func (d *decision) keep(snap api.Snapshot) {
	d.blind, d.routes = true, snap.Routes
	if snap.Pass != nil {
		d.plan, d.lives, d.tables = snap.Pass.Plan, snap.Pass.Hosts, snap.Pass.Tables
	}
}

// adoptedBefore are the ids of entries whose adoption was used already, as far as the
// configuration still names them: the operator's word is good for one time.
func adoptedBefore(snap api.Snapshot) []string {
	if snap.Pass == nil || snap.Config == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(snap.Pass.Adopted), func(id string) bool {
		return !slices.ContainsFunc(snap.Config.Adopt, func(a api.Adoption) bool { return a.ID == id })
	})
}

// adoptedBy are the ids of the entries that were adopted by these changes.
func adoptedBy(results []cloud.Result) []string {
	var ids []string
	for _, r := range results {
		if r.Change.Reason == api.ReasonAdopted && r.Err == nil {
			ids = append(ids, r.Change.Was.ID)
		}
	}
	return ids
}

// usable are the adoptions that were not used yet.
func usable(all []api.Adoption, used []string) []api.Adoption {
	return slices.DeleteFunc(slices.Clone(all), func(a api.Adoption) bool { return slices.Contains(used, a.ID) })
}

func configOf(snap api.Snapshot) api.Config {
	if snap.Config == nil {
		return api.Config{Policy: api.PolicyObserve}
	}
	return *snap.Config
}

// hostsWith adds the cloud's word to the registry's: what it knows of an instance outranks a
// lease. But a host that left has left, and one whose agent is heard is not gone, whatever
// the cloud says: then the cloud answers in part, or the host names another instance.
// Instances without a record come along when the cloud says that they are gone, as evidence
// against the routes that still point at them.
func hostsWith(hosts []api.Host, lives map[api.InstanceID]api.Life) []api.Host {
	out := slices.Clone(hosts)
	seen := map[api.InstanceID]bool{}
	for i, h := range out {
		seen[h.Instance] = true
		life, ok := lives[h.Instance]
		switch {
		case !ok || h.Life == api.LifeLeft:
		case life == api.LifeGone && h.Life == api.LifeAlive:
			out[i].Life = api.LifeMissing
		default:
			out[i].Life = life
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lives)) {
		if lives[id] == api.LifeGone && !seen[id] {
			out = append(out, api.Host{Report: api.Report{Instance: id}, Life: api.LifeGone})
		}
	}
	return out
}

func vswitches(n cloud.Network) []plan.VSwitch {
	out := make([]plan.VSwitch, 0, 2*len(n.VSwitches))
	for _, s := range n.VSwitches {
		out = append(out, plan.VSwitch{ID: s.ID, CIDR: s.CIDR})
		if s.CIDR6.IsValid() {
			out = append(out, plan.VSwitch{ID: s.ID, CIDR: s.CIDR6})
		}
	}
	return out
}

// readable leaves out the routes of tables that could not be read: nothing is changed there.
func readable(want []api.Route, unread []api.TableID) []api.Route {
	return slices.DeleteFunc(slices.Clone(want), func(r api.Route) bool { return slices.Contains(unread, r.Table) })
}

// written names the places that had carried our route before: its absence there is drift.
func written(routes []api.RouteStatus) map[api.RouteKey]bool {
	out := map[api.RouteKey]bool{}
	for _, r := range routes {
		for table, t := range r.Tables {
			if t.Stage != api.StageWanted {
				out[api.RouteKey{Table: table, Destination: r.Destination}] = true
			}
		}
	}
	return out
}

func hostLives(lives map[api.InstanceID]api.Life) []api.HostLife {
	out := make([]api.HostLife, 0, len(lives))
	for _, id := range slices.Sorted(maps.Keys(lives)) {
		out = append(out, api.HostLife{Instance: id, Life: lives[id]})
	}
	return out
}

// releasable names hosts that are gone and that no route points at any more, whoever made it, seen in
// every table: only then may another host have their subnets.
func releasable(cluster string, hosts []api.Host, v view) []api.InstanceID {
	if !v.complete() {
		return nil
	}
	var out []api.InstanceID
	for _, h := range hosts {
		pointed := slices.ContainsFunc(v.have, func(r api.Route) bool {
			toward := r.NextHop == string(h.Instance) || h.Uplink != "" && r.NextHop == string(h.Uplink)
			return toward || r.OwnedBy(cluster) && r.Mark.Host == h.Instance
		})
		if h.Life == api.LifeGone && len(h.Claims) > 0 && !pointed {
			out = append(out, h.Instance)
		}
	}
	return out
}

// nextLook brings the next pass forward while the cloud is working on an entry, or while an
// absent instance waits for its second look.
func nextLook(v view) time.Duration {
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

// explain puts what the cloud said about failed changes into the plan and the routes, so that
// the operator reads the cause where the route is shown.
func (d *decision) explain(results []cloud.Result) {
	failed := map[api.RouteKey]cloud.Result{}
	for _, r := range results {
		if r.Err != nil {
			failed[r.Change.Route.Key()] = r
		}
	}
	var left []api.Change
	for _, c := range d.plan.Changes {
		if r, ok := failed[c.Route.Key()]; ok {
			d.plan.Held = append(d.plan.Held, api.Held{Change: c, Reason: reasonOf(r), Detail: r.Err.Error()})
			continue
		}
		left = append(left, c)
	}
	d.plan.Changes = left
	for i, s := range d.routes {
		for _, table := range slices.Sorted(maps.Keys(s.Tables)) {
			r, ok := failed[api.RouteKey{Table: table, Destination: s.Destination}]
			if ok && s.Tables[table].Stage == api.StageWanted {
				s.Tables[table] = api.InTable{Stage: api.StageWanted, Reason: reasonOf(r), Detail: r.Err.Error()}
				d.routes[i].Reason = reasonOf(r)
			}
		}
	}
}

// reasonOf says what a failed change is held for: what only a person can mend has the same
// reason as when the plan had seen it coming.
func reasonOf(r cloud.Result) api.Reason {
	switch {
	case errors.Is(r.Err, api.ErrQuota):
		return api.ReasonQuota
	case errors.Is(r.Err, api.ErrRefused) && r.Change.Verb == api.Create:
		return api.ReasonForeignRoute
	default:
		return api.ReasonCloudError
	}
}
