package plan

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/sealane/sealane/api"
)

// Guard is what [Diff] may not do, and on what knowledge it decides.
type Guard struct {
	Cluster          string
	Policy           api.Policy
	RegistryComplete bool // every record was understood; else nothing is taken from any host
	CloudComplete    bool // every table and instance was read; else nothing is deleted
	Pools            []netip.Prefix
	Deletes          api.GuardConfig       // the budget of deletes
	Confirmed        string                // Plan.DeletesID of deletes that may exceed the budget
	Adopt            []api.Adoption        // foreign routes that an operator gave to sealane
	Accepted         int64                 // generation up to which marks may be newer than the registry
	Revision         int64                 // of the registry's snapshot; 0 is not known
	Quota            map[api.TableID]int   // custom routes a table may hold; a table left out has no known limit
	Hosts            []api.Host            // the evidence: the same hosts that Desired was given
	Written          map[api.RouteKey]bool // places that had been written: absence there is drift
}

// holdSteps gives a reason to every step that may not go ahead. Steps are sorted.
func (g Guard) holdSteps(steps []api.Held, have []api.Route) {
	hosts := hostsByID(g.Hosts)
	for i, s := range steps {
		if s.Reason != "" {
			continue
		}
		steps[i].Reason, steps[i].Detail = g.forbids(s.Change)
		was := s.Change.Route
		if s.Change.Was != nil {
			was = *s.Change.Was
		}
		if steps[i].Reason == "" && s.Change.Verb != api.Create && was.OwnedBy(g.Cluster) && g.ahead(was, hosts) {
			steps[i].Reason = api.ReasonRegistryOld
			steps[i].Detail = fmt.Sprintf("the route is of revision %d, what the registry knows of its host is older", was.Mark.Generation)
		}
	}
	g.holdDeletes(steps, have)
	g.holdCreates(steps, have)
}

// Ahead returns the newest generation among our marks that the registry has not come to: then
// it was restored from a backup, or replaced. 0 is none.
func (g Guard) Ahead(have []api.Route) int64 {
	hosts, newest := hostsByID(g.Hosts), int64(0)
	for _, r := range have {
		if r.OwnedBy(g.Cluster) && g.ahead(r, hosts) {
			newest = max(newest, r.Mark.Generation)
		}
	}
	return newest
}

// ahead reports whether the route was made after what the registry now knows of its host was
// written: nothing that the registry says of the host is news then.
func (g Guard) ahead(r api.Route, hosts evidence) bool {
	known := g.Revision
	if h := hosts[r.Mark.Host]; h != nil && h.Revision > 0 {
		known = h.Revision
	}
	return g.Revision > 0 && r.Mark.Generation > max(known, g.Accepted)
}

// takesFromHost reports whether a change takes a route away from a host.
func takesFromHost(c api.Change) bool { return c.Verb == api.Delete || c.Reason == api.ReasonMoved }

// forbids says why this change may not be made at all; empty if it may.
func (g Guard) forbids(c api.Change) (why api.Reason, detail string) {
	deletes := c.Verb == api.Delete
	switch {
	case !g.RegistryComplete && takesFromHost(c):
		// The record that cannot be read may be the one that claims this route.
		return api.ReasonRegistryIncomplete, ""
	case !g.CloudComplete && deletes:
		return api.ReasonCloudIncomplete, ""
	case !inPools(g.Pools, c.Route.Destination):
		return api.ReasonPolicy, "outside the pools nothing is written or deleted"
	case g.Policy == api.PolicyObserve:
		return "", "" // the plan shows all that would be done; the pass stops after showing it
	case !g.Policy.Allows(c.Verb):
		return api.ReasonPolicy, fmt.Sprintf("the policy is %q", g.Policy)
	default:
		return "", ""
	}
}

// holdDeletes holds all deletes if they are more than the budget and not confirmed.
func (g Guard) holdDeletes(steps []api.Held, have []api.Route) {
	var deletes api.Plan
	for _, s := range steps {
		if s.Reason == "" && s.Change.Verb == api.Delete {
			deletes.Changes = append(deletes.Changes, s.Change)
		}
	}
	owned := 0
	for _, r := range have {
		if r.OwnedBy(g.Cluster) {
			owned++
		}
	}
	wants, budget, id := len(deletes.Changes), g.budget(owned), deletes.DeletesID()
	if wants <= budget || g.Confirmed == id {
		return
	}
	detail := fmt.Sprintf("%d deletes wanted, %d of %d routes allowed; confirm with %s", wants, budget, owned, id)
	for i, s := range steps {
		if s.Reason == "" && s.Change.Verb == api.Delete {
			steps[i].Reason, steps[i].Detail = api.ReasonDeleteBudget, detail
		}
	}
}

// budget is how many deletes go without confirmation.
func (g Guard) budget(owned int) int {
	const rounding = 1e-9 // 0.29 of 100 is 29, not the 28.999... that it is in binary
	return max(g.Deletes.MaxDeletes, int(math.Floor(g.Deletes.MaxDeleteShare*float64(owned)+rounding)))
}

// holdCreates lets through what fits into each table, in order, and holds the rest. Room
// that deletes make counts once it is there, in the next pass.
func (g Guard) holdCreates(steps []api.Held, have []api.Route) {
	used, more := map[api.TableID]int{}, map[api.TableID]int{}
	for _, r := range have {
		used[r.Table]++
	}
	for i, s := range steps {
		if s.Reason != "" || s.Change.Verb != api.Create {
			continue
		}
		table := s.Change.Route.Table
		if quota, limited := g.Quota[table]; limited && used[table] >= quota {
			steps[i].Reason = api.ReasonQuota
			more[table]++
		} else {
			used[table]++
		}
	}
	for i, s := range steps {
		if t := s.Change.Route.Table; s.Reason == api.ReasonQuota {
			steps[i].Detail = fmt.Sprintf("table %s: %d of %d routes used, %d more wanted", t, used[t], g.Quota[t], more[t])
		}
	}
}
