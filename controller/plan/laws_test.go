package plan

import (
	gocmp "cmp"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sealane/sealane/api"
)

// The laws of the decision. Each test states one, over random clusters.

// law checks a property of random clusters.
func law(t *testing.T, holds func(*rapid.T, cluster)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) { holds(t, anyCluster().Draw(t, "cluster")) })
}

// Law 1: the order of the inputs does not matter.
func TestLaw01OrderDoesNotMatter(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		s := c
		s.hosts = shuffled(t, c.hosts)
		for i := range s.hosts {
			s.hosts[i].Subnets = shuffled(t, s.hosts[i].Subnets)
			s.hosts[i].Claims = shuffled(t, s.hosts[i].Claims)
		}
		s.have = shuffled(t, c.have)
		s.rules.Pools = shuffled(t, c.rules.Pools)
		s.rules.VSwitches = shuffled(t, c.rules.VSwitches)
		s.rules.Tables = append(shuffled(t, c.rules.Tables), c.rules.Tables[0])
		if diff := cmp.Diff(c.plan(), s.plan(), comparePrefixes()); diff != "" {
			t.Fatalf("shuffled inputs give another plan:\n%s", diff)
		}
	})
}

// Law 2: it converges. The first pass does what it may. Only room that its deletes made,
// and a delete budget that grew with its creates, may leave something for later ones.
func TestLaw02Converges(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		p := c.plan()
		later := 0
		for _, h := range p.Held {
			if h.Reason == api.ReasonQuota || h.Reason == api.ReasonDeleteBudget {
				later = 2
			}
		}
		for range 1 + later {
			c.have = applied(t, p, c.have)
			p = c.plan()
		}
		if len(p.Changes) > 0 {
			t.Fatalf("planned again after it was applied:\n%s", p)
		}
	})
}

// Law 3: a foreign route is never changed or deleted; one that is in the way is a hold.
func TestLaw03ForeignRoutesAreSafe(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		p, want := c.decide()
		kept := slices.DeleteFunc(slices.Clone(c.have), c.guard.adopts)
		foreignIsSafe(t, p, want, kept)
		after := routesByKey(applied(t, p, c.have))
		for _, r := range c.have {
			if !r.OwnedBy(ours) && !c.guard.adopts(r) && after[r.Key()] != r {
				t.Fatalf("foreign %s became %s", r, after[r.Key()])
			}
		}
	})
}

// Law 4: an incomplete view deletes nothing. If the registry is, nothing is moved either.
func TestLaw04PartialKnowledgeDeletesNothing(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		for _, view := range []struct{ registry, cloud bool }{{false, true}, {true, false}, {false, false}} {
			c.guard.RegistryComplete, c.guard.CloudComplete = view.registry, view.cloud
			for _, change := range c.plan().Changes {
				if change.Verb == api.Delete || !view.registry && change.Reason == api.ReasonMoved {
					t.Fatalf("registry complete %v, cloud complete %v: %s", view.registry, view.cloud, change)
				}
			}
		}
	})
}

// Law 5: deletes have a budget. Above it none is made until an operator confirms exactly
// these.
func TestLaw05DeletesHaveABudget(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		c.guard.Confirmed = ""
		p := c.plan()
		owned := 0
		for _, r := range c.have {
			if r.OwnedBy(ours) {
				owned++
			}
		}
		made, over := deletes(p)
		if n := len(made); n > c.guard.Deletes.MaxDeletes && float64(n) > c.guard.Deletes.MaxDeleteShare*float64(owned)+0.001 {
			t.Fatalf("%d deletes of %d routes with the guard %+v", n, owned, c.guard.Deletes)
		}
		if len(over) == 0 {
			return
		}
		if len(made) > 0 {
			t.Fatalf("some deletes are made and others held for the budget:\n%s", p)
		}
		id := p.DeletesID()
		c.guard.Confirmed = id
		confirmed := c.plan()
		if made, _ := deletes(confirmed); !slices.Equal(made, over) || confirmed.DeletesID() != id {
			t.Fatalf("confirmed %s for\n%v\nand got %s for\n%v", id, over, confirmed.DeletesID(), made)
		}
		for i := range c.hosts { // more hosts leave: that is another set
			c.hosts[i].Life = api.LifeLeft
		}
		if made, _ := deletes(c.plan()); c.plan().DeletesID() != id && len(made) > c.guard.budget(owned) {
			t.Fatalf("the confirmation of %v lets through %v", over, made)
		}
	})
}

// Law 6: incumbents win. A host that newly claims what overlaps an route of ours changes
// nothing but the list of conflicts, however old its claim, and whether or not the route's
// host is still heard, still reports it, or is known at all.
func TestLaw06IncumbentsWin(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		var overlapping []netip.Prefix
		hosts, check := hostsByID(c.hosts), newChecker(c.rules)
		for _, r := range c.have {
			if r.OwnedBy(ours) && hosts.releaseReason(r.Mark.Host, r.Destination) == api.ReasonNoEvidence && check.refusePrefix(r.Destination) == nil {
				wider := netip.PrefixFrom(r.Destination.Addr(), r.Destination.Bits()-1).Masked()
				narrower := netip.PrefixFrom(r.Destination.Addr(), r.Destination.Bits()+1)
				overlapping = append(overlapping, r.Destination, wider, narrower)
			}
		}
		if len(overlapping) == 0 {
			return
		}
		before := c.plan()
		p := rapid.SampledFrom(overlapping).Draw(t, "claimed")
		c.hosts = append(c.hosts, newHost("i-0", p, 0))
		after := c.plan()
		refused := slices.IndexFunc(after.Conflicts, func(c api.Conflict) bool { return c.Host == "i-0" })
		if refused < 0 {
			t.Fatalf("%s of the new host is not refused:\n%s", p, after)
		}
		after.Conflicts = slices.Delete(after.Conflicts, refused, refused+1)
		if diff := cmp.Diff(before, after, comparePrefixes()); diff != "" {
			t.Fatalf("a new host with %s changes the plan:\n%s", p, diff)
		}
	})
}

// Law 6, second half: between claims without routes the older wins, then the smaller id.
func TestLaw06TiesGoToTheOlderClaim(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ages := rapid.SliceOfN(rapid.Int64Range(1, 3), 2, 2).Draw(t, "ages")
		c := cluster{rules: Rules{Cluster: ours, VPC: vpc, Pools: prefixes("10.0.0.0/8"), Tables: []api.TableID{"vtb-1"}}}
		p, q := prefix("10.0.0.0/23"), prefix("10.0.1.0/24")
		if rapid.Bool().Draw(t, "swapped") {
			p, q = q, p
		}
		c.hosts = []api.Host{newHost("i-1", p, ages[0]), newHost("i-2", q, ages[1])}
		winner := "i-1"
		if ages[1] < ages[0] {
			winner = "i-2"
		}
		want, conflicts := Desired(c.hosts, nil, c.rules)
		if len(want) != 1 || want[0].NextHop != winner || len(conflicts) != 1 {
			t.Fatalf("of ages %d and %d won %v, refused %v", ages[0], ages[1], want, conflicts)
		}
	})
}

// Law 7: losing one host costs that host's routes at most; losing its record costs none.
func TestLaw07LosingOneHostCostsOneHost(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		before := taking(c.plan())
		i := rapid.IntRange(0, len(c.hosts)).Draw(t, "lost")
		if i == len(c.hosts) {
			return
		}
		lost := c.hosts[i].Instance
		c.hosts = slices.Clone(c.hosts)
		c.hosts[i].Life = rapid.SampledFrom([]api.Life{api.LifeGone, api.LifeLeft}).Draw(t, "life")
		for key, owner := range taking(c.plan()) {
			if _, already := before[key]; !already && owner != lost {
				t.Fatalf("losing %s costs %s the route %v", lost, owner, key)
			}
		}
		c.hosts = slices.Delete(c.hosts, i, i+1)
		for key, owner := range taking(api.Plan{Changes: c.plan().Changes}) {
			if _, already := before[key]; !already {
				t.Fatalf("losing the record of %s costs %s the route %v", lost, owner, key)
			}
		}
	})
}

// Law 8: every change, hold and conflict has a reason from the closed list, and whatever a
// host reports or a table has amiss shows up somewhere.
func TestLaw08EverythingHasAReason(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		p, want := c.decide()
		reasons := api.Reasons()
		known := func(r api.Reason, what any) {
			if reasons[r] == "" {
				t.Fatalf("%v has the reason %q", what, r)
			}
		}
		named := map[api.RouteKey]bool{}
		for _, change := range p.Changes {
			known(change.Reason, change)
			named[change.Route.Key()] = true
		}
		for _, h := range p.Held {
			known(h.Reason, h)
			known(h.Change.Reason, h.Change)
			named[h.Change.Route.Key()] = true
		}
		answered := map[standingFor]bool{}
		for _, conflict := range p.Conflicts {
			known(conflict.Reason, conflict)
			answered[standingFor{conflict.Host, conflict.Destination}] = true
		}
		wanted, actual := routesByKey(want), routesByKey(c.have)
		for key, w := range wanted {
			answered[standingFor{w.Mark.Host, w.Destination}] = true
			a, there := actual[key]
			if amiss := !there || !a.SameTarget(w) || !a.Mark.Same(w.Mark); amiss && !named[key] {
				t.Fatalf("%s is wanted, is %s, and the plan does not name it", w, a)
			}
		}
		for key, a := range actual {
			if _, ok := wanted[key]; !ok && a.OwnedBy(ours) && !named[key] {
				t.Fatalf("%s is not wanted and the plan does not name it", a)
			}
		}
		for _, h := range c.hosts {
			for _, s := range h.Subnets {
				if !h.Life.Withdraws() && !answered[standingFor{h.Instance, s.Prefix}] {
					t.Fatalf("%s of %s is neither wanted nor refused", s.Prefix, h.Label())
				}
			}
		}
	})
}

// Law 9: a changed next hop is one replace, never a gap.
func TestLaw09AChangedNextHopIsOneReplace(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		p, want := c.decide()
		wanted, actual := routesByKey(want), routesByKey(c.have)
		seen := map[api.RouteKey]bool{}
		for _, change := range p.Changes {
			key := change.Route.Key()
			_, isWanted := wanted[key]
			was, there := actual[key]
			switch {
			case seen[key]:
				t.Fatalf("%s is the second change of its place", change)
			case change.Verb == api.Create && there,
				change.Verb == api.Delete && isWanted,
				change.Verb == api.Replace && (!there || change.Was == nil || *change.Was != was):
				t.Fatalf("%s where %s was", change, was)
			}
			seen[key] = true
		}
		for key, w := range wanted {
			a, there := actual[key]
			if there && a.OwnedBy(ours) && isSettled(a) && !a.SameTarget(w) && !named(p, api.Replace, key) {
				t.Fatalf("%s is to become %s, but there is no replace in\n%s", a, w, p)
			}
		}
	})
}

// Law 10: quota is respected. What fits goes, new hosts before drift repair; the rest is
// held with the numbers.
func TestLaw10QuotaIsRespected(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		p := c.plan()
		routes, repairs := map[api.TableID]int{}, map[api.TableID]bool{}
		for _, r := range c.have {
			routes[r.Table]++
		}
		created := map[api.TableID]int{}
		for _, change := range p.Changes {
			if change.Verb == api.Create {
				created[change.Route.Table]++
				repairs[change.Route.Table] = repairs[change.Route.Table] || change.Reason == api.ReasonDriftMissing
			}
		}
		for table, quota := range c.guard.Quota {
			if n := created[table]; n > 0 && routes[table]+n > quota {
				t.Fatalf("%d routes and %d creates exceed %d in %s", routes[table], n, quota, table)
			}
		}
		for _, h := range p.Held {
			table := h.Change.Route.Table
			quota, limited := c.guard.Quota[table]
			switch {
			case h.Reason != api.ReasonQuota:
			case !limited || routes[table]+created[table] < quota || h.Detail == "":
				t.Fatalf("%s although %s has room for %d", h, table, quota-routes[table]-created[table])
			case h.Change.Reason == api.ReasonNewSubnet && repairs[table]:
				t.Fatalf("%s although something else is repaired in %s", h, table)
			}
		}
	})
}

// Law 11: nothing outside the pools, and nothing that overlaps a vSwitch or a reserved
// range, is ever written; outside the pools nothing is deleted either.
func TestLaw11NothingOutsideThePoolsIsWritten(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) { onlyOurRanges(t, c.plan(), c.rules) })
}

// Law 12: no differences, nothing to do.
func TestLaw12NoDifferencesNothingToDo(t *testing.T) {
	law(t, func(t *rapid.T, c cluster) {
		want, _ := Desired(c.hosts, c.have, c.rules)
		have := slices.Clone(want)
		for i := range have {
			have[i].State = rapid.SampledFrom([]api.RouteState{api.RouteAvailable, api.RoutePending, api.RouteModifying}).Draw(t, "state")
			have[i].HopType, have[i].ID = gocmp.Or(have[i].HopType, api.HopInstance), "rte-1"
		}
		c.guard.Hosts = c.hosts
		if p := Diff(want, have, c.guard); !p.IsEmpty() {
			t.Fatalf("all is as wanted, but:\n%s", p)
		}
	})
}
