package controller

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/controller/plan"
)

// decision is the outcome of one pass before anything is done: the plan, and what is
// published with it.
type decision struct {
	blind     bool // nothing could be decided: the plan is the last one, to be shown and not to be made
	config    api.Config
	hosts     []api.Host // with the cloud's word
	plan      api.Plan
	routes    []api.RouteStatus
	release   []api.InstanceID // hosts that are gone: others may have their subnets once no route is left
	lives     []api.HostLife
	tables    []api.TableUse
	blocked   []api.Blocked
	findings  []api.Finding
	cloudRead time.Time // when the cloud was last read as a whole
	cloudErr  error     // what could not be read
	adopted   []string  // ids of routes whose adoption was used

	pools         []netip.Prefix // what of the pools may carry routes
	gates         []gate         // to be opened in this pass
	managed       managed        // what is changed beside routes, in all, with these gates
	managedBefore managed        // the same without them
}

// decide is pure: the same snapshot and view give the same decision.
func decide(cluster string, snap api.Snapshot, v view, now time.Time) decision {
	d := decision{config: configOf(snap), cloudErr: v.err, cloudRead: v.at}
	shown := v.lives
	if v.instances == nil {
		shown = lastLives(snap.Pass)
		v.lives = withoutGone(shown)
	}
	if d.cloudRead.IsZero() && snap.Pass != nil {
		d.cloudRead = snap.Pass.CloudRead
	}
	d.hosts = hostsWith(snap.Hosts, v.lives)
	d.managed, d.adopted = managedIn(snap.Pass).withoutClosed(v, d.config), adoptedBefore(snap)
	if v.network.VPC == "" || d.config.Validate() != nil {
		d.showLast(snap)
		d.findings = append(recordFindings(snap, d.config), lastFindings(snap.Pass, tableCodes())...)
	} else {
		d.decideRoutes(cluster, snap, v, now)
		d.lives = hostLives(shown)
	}
	d.findings = append(d.findings, lifeFindings(hostsWith(snap.Hosts, shown))...)
	d.decideReach(snap, v)
	return d
}

// decideRoutes makes the plan, and what is said of it.
func (d *decision) decideRoutes(cluster string, snap api.Snapshot, v view, now time.Time) {
	want, conflicts := plan.Desired(d.hosts, v.have, plan.Rules{
		Cluster: cluster, VPC: v.network.VPC, Pools: d.config.Pools,
		VSwitches: planVSwitches(v.network), Tables: v.tables,
	})
	guard := plan.Guard{
		Cluster: cluster, Policy: d.config.Policy, Pools: d.config.Pools,
		RegistryComplete: snap.Complete(), CloudComplete: v.readWhole(),
		Deletes: d.config.Guard, Confirmed: d.config.Confirmed,
		Adopt: usableAdoptions(d.config.Adopt, d.adopted), Accepted: d.config.Accepted, Revision: snap.Revision,
		Quota: quotas(v), Hosts: d.hosts, Written: writtenBefore(snap.Routes),
	}
	d.plan = plan.Diff(inReadTables(want, v.unread), v.have, guard)
	d.plan.Conflicts = conflicts
	d.routes = routeStatus(snap, want, v, d.plan, usedPools(d.hosts, v.network, d.config.Pools), now)
	d.tables = tableUse(cluster, v, snap.Pass, now)
	d.release = releasable(cluster, d.hosts, v)
	d.findings = append(recordFindings(snap, d.config), tableFindings(v)...)
	d.findings = append(d.findings, markFindings(v)...)
	if newest := guard.Ahead(v.have); newest > 0 {
		d.findings = append(d.findings, registryOld(newest, snap.Revision, d.plan))
	}
}

// decideReach says which hosts the cloud keeps packets from. Where the instances could not be
// read, what was said last stays: not knowing is no news.
func (d *decision) decideReach(snap api.Snapshot, v view) {
	if v.instances == nil {
		d.findings = append(d.findings, lastFindings(snap.Pass, gateCodes())...)
		if snap.Pass != nil {
			d.blocked = snap.Pass.Blocked
		}
		return
	}
	for _, pool := range d.config.Pools {
		d.pools = append(d.pools, routable(pool, v.network)...)
	}
	d.pools = withoutCovered(d.pools)
	found, blocked := cloudFindings(d.hosts, v, d.config)
	d.findings, d.blocked = append(d.findings, found...), blocked
}

// showLast shows what was published last, since without the network or a usable configuration
// nothing can be decided.
func (d *decision) showLast(snap api.Snapshot) {
	d.blind, d.routes = true, snap.Routes
	if snap.Pass != nil {
		d.plan, d.lives, d.tables = snap.Pass.Plan, snap.Pass.Hosts, snap.Pass.Tables
	}
}

// adoptedBefore are the ids of routes whose adoption was used already, as far as the
// configuration still names them: the operator's word is good for one time.
func adoptedBefore(snap api.Snapshot) []string {
	if snap.Pass == nil || snap.Config == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(snap.Pass.Adopted), func(id string) bool {
		return !slices.ContainsFunc(snap.Config.Adopt, func(a api.Adoption) bool { return a.ID == id })
	})
}

// adoptedBy are the ids of the routes that were adopted by these changes.
func adoptedBy(results []cloud.Result) []string {
	var ids []string
	for _, r := range results {
		if r.Change.Reason == api.ReasonAdopted && r.Err == nil {
			ids = append(ids, r.Change.Was.ID)
		}
	}
	return ids
}

// usableAdoptions are the adoptions that were not used yet.
func usableAdoptions(all []api.Adoption, used []string) []api.Adoption {
	return slices.DeleteFunc(slices.Clone(all), func(a api.Adoption) bool { return slices.Contains(used, a.ID) })
}

func configOf(snap api.Snapshot) api.Config {
	if snap.Config == nil {
		return api.Config{Policy: api.PolicyObserve}
	}
	return *snap.Config
}

// inReadTables leaves out the routes of tables that could not be read: nothing is changed there.
func inReadTables(want []api.Route, unread []api.TableID) []api.Route {
	return slices.DeleteFunc(slices.Clone(want), func(r api.Route) bool { return slices.Contains(unread, r.Table) })
}

// writtenBefore names the places that had carried our route before: its absence there is drift.
func writtenBefore(routes []api.RouteStatus) map[api.RouteKey]bool {
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

// releasable names hosts that are gone and that no route points at any more, whoever made it, seen in
// every table: only then may another host have their subnets.
func releasable(cluster string, hosts []api.Host, v view) []api.InstanceID {
	if !v.readWhole() {
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

// attachErrors puts what the cloud said about failed changes into the plan and the routes, so that
// the operator reads the cause where the route is shown.
func (d *decision) attachErrors(results []cloud.Result) {
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
			told := ok && failedBefore(s, r) && permanent(reasonOf(r)) // then the words may stay
			if ok && s.Tables[table].Stage == api.StageWanted && !told {
				s.Tables[table] = api.InTable{Stage: api.StageWanted, Reason: reasonOf(r), Detail: r.Err.Error()}
				d.routes[i].Reason = reasonOf(r)
			}
		}
	}
}

// failedBefore reports whether a change failed again for the reason that its route is known to
// wait for: that is no news, though the cloud's words differ with each request.
func failedBefore(s api.RouteStatus, r cloud.Result) bool {
	in := s.Tables[r.Change.Route.Table]
	return in.Stage == api.StageWanted && in.Reason == reasonOf(r) && s.Host == r.Change.Route.Mark.Host
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
