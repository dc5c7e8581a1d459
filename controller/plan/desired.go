package plan

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// Rules say where and what may be routed.
type Rules struct {
	Cluster   string         // the name in our marks
	VPC       api.VPCID      // hosts elsewhere are refused
	Pools     []netip.Prefix // subnets must lie inside one of them
	VSwitches []VSwitch      // subnets must not overlap any of them
	Tables    []api.TableID  // the tables that carry every route
}

// VSwitch is the range of one vSwitch of the VPC.
type VSwitch struct {
	ID   api.VSwitchID
	CIDR netip.Prefix
}

// Desired says which routes should exist, one for each accepted subnet in each table, and
// which claims are refused. Both lists are sorted.
//
// Of claims that overlap, the one that routes are already marked for wins, then the older
// one, then the smaller instance id. A route of ours stands for its host until there is
// evidence that the host let it go, also when the host reports nothing or is not in the
// registry: nobody else is given an overlapping subnet, so what flows goes on flowing.
func Desired(hosts []api.Host, have []api.Route, rules Rules) ([]api.Route, []api.Conflict) {
	rules.Tables = slices.Compact(slices.Sorted(slices.Values(rules.Tables)))
	check := newChecker(rules)
	known := hostsByID(hosts)
	standings := standingsIn(known, have, rules)
	claims, conflicts := claimsOf(hosts, standings, check)
	claims = append(claims, standingClaims(standings, known, check)...)
	slices.SortFunc(claims, compareClaims)

	want := []api.Route{}
	var granted trie
	for _, c := range claims {
		holder := granted.overlapping(c.prefix)
		switch {
		case c.standing == unreleased:
			granted.insert(c)
		case holder != nil:
			conflicts = append(conflicts, c.refusalFor(*holder))
		default:
			granted.insert(c)
			want = append(want, c.routes(rules, standings)...)
		}
	}
	slices.SortFunc(want, api.CompareRoutes)
	slices.SortFunc(conflicts, compareConflicts)
	return want, conflicts
}

// standing ranks claims: smaller goes first.
type standing int

const (
	incumbent  standing = iota // reported, and a route is marked for it
	unreleased                 // a route is marked for it and nothing says that it may go
	newcomer                   // reported, no route yet
)

// claim is a host's call for a prefix.
type claim struct {
	host     *api.Host
	prefix   netip.Prefix
	standing standing
	age      int64 // create revision of the registry's claim; smaller is older
}

// compareClaims orders claims by the right to their prefix. The order is total: a host has
// one claim of a standing for a prefix.
func compareClaims(a, b claim) int {
	return cmp.Or(
		cmp.Compare(a.standing, b.standing),
		cmp.Compare(a.age, b.age),
		cmp.Compare(a.host.Instance, b.host.Instance),
		api.ComparePrefixes(a.prefix, b.prefix),
	)
}

// claimsOf turns reports into claims and refuses those that may not be routed at all.
func claimsOf(hosts []api.Host, standings standings, check checker) (claims []claim, conflicts []api.Conflict) {
	conflicts = []api.Conflict{}
	for i := range hosts {
		h := &hosts[i]
		if h.Life.Withdraws() {
			continue
		}
		for _, p := range reportedPrefixes(h) {
			tables, held := standings[standingFor{h.Instance, p}]
			c := claim{host: h, prefix: p, standing: newcomer, age: claimAge(h, p)}
			if held {
				c.standing = incumbent
			}
			refusal := check.refuseHost(h, p)
			if refusal == nil && h.Life == api.LifeMissing && len(tables) == 0 {
				refusal = &api.Conflict{Reason: api.ReasonInstanceUnknown}
			}
			if refusal != nil {
				conflicts = append(conflicts, c.refusal(*refusal))
				continue
			}
			claims = append(claims, c)
		}
	}
	return claims, conflicts
}

// standingClaims are the standing claims of routes that no evidence lets go of. A route that may
// not be routed at all holds nothing: it could otherwise lock out a whole pool.
func standingClaims(standings standings, hosts evidence, check checker) []claim {
	var claims []claim
	for h := range standings {
		if hosts.releaseReason(h.host, h.prefix) == api.ReasonNoEvidence && check.refusePrefix(h.prefix) == nil {
			claims = append(claims, claim{host: hosts.owner(h.host), prefix: h.prefix, standing: unreleased})
		}
	}
	return claims
}

// routes are the claim's routes: one for each table, but for a host that the cloud does
// not know only those that are there already.
func (c claim) routes(rules Rules, standings standings) []api.Route {
	there := standings[standingFor{c.host.Instance, c.prefix}]
	routes := make([]api.Route, 0, len(rules.Tables))
	for _, t := range rules.Tables {
		if c.host.Life == api.LifeMissing && !slices.Contains(there, t) {
			continue
		}
		r := toward(c.host)
		r.Table, r.Destination = t, c.prefix
		r.Mark = api.Mark{Cluster: rules.Cluster, Host: c.host.Instance, Generation: c.generation()}
		routes = append(routes, r)
	}
	return routes
}

// toward is a route's target at the host: the instance, or the secondary interface that is
// its uplink.
func toward(h *api.Host) api.Route {
	if h.Uplink != "" {
		return api.Route{NextHop: string(h.Uplink), HopType: api.HopInterface}
	}
	return api.Route{NextHop: string(h.Instance)}
}

// generation is what the mark says of the claim's age: 0 without a claim in the registry.
func (c claim) generation() int64 {
	if c.age == math.MaxInt64 {
		return 0
	}
	return c.age
}

func (c claim) refusal(why api.Conflict) api.Conflict {
	why.Destination, why.Host, why.HostName = c.prefix, c.host.Instance, c.host.Name
	return why
}

func (c claim) refusalFor(holder claim) api.Conflict {
	return c.refusal(api.Conflict{Reason: api.ReasonOverlapsClaim, With: holder.prefix, Holder: holder.host.Label()})
}

// reportedPrefixes are the prefixes that a host reports, each once: two bridges may say the same.
func reportedPrefixes(h *api.Host) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(h.Subnets))
	for _, s := range h.Subnets {
		if !slices.Contains(prefixes, s.Prefix) {
			prefixes = append(prefixes, s.Prefix)
		}
	}
	return prefixes
}

// claimAge is the revision of the host's own claim for the prefix; without one it is the youngest.
func claimAge(h *api.Host, p netip.Prefix) int64 {
	oldest := int64(math.MaxInt64)
	for _, c := range h.Claims {
		if c.Prefix == p && c.Instance == h.Instance {
			oldest = min(oldest, c.Revision)
		}
	}
	return oldest
}

func compareConflicts(a, b api.Conflict) int {
	return cmp.Or(api.ComparePrefixes(a.Destination, b.Destination), cmp.Compare(a.Host, b.Host))
}

// standingFor is a host's hold on a destination: a route in some table is marked for it.
type standingFor struct {
	host   api.InstanceID
	prefix netip.Prefix
}

// standings are all of them, each with the served tables where the route also points at the
// host.
// A drifted route still holds its destination, so that an edit by hand never decides who
// owns a subnet.
type standings map[standingFor][]api.TableID

func standingsIn(hosts evidence, have []api.Route, rules Rules) standings {
	all := make(standings, len(have))
	for _, r := range have {
		if !r.OwnedBy(rules.Cluster) {
			continue
		}
		h := standingFor{r.Mark.Host, r.Destination}
		tables := all[h]
		if r.SameTarget(toward(hosts.owner(r.Mark.Host))) && slices.Contains(rules.Tables, r.Table) {
			tables = append(tables, r.Table)
		}
		all[h] = tables
	}
	return all
}

// evidence is what is known of the hosts that routes are marked for.
type evidence map[api.InstanceID]*api.Host

func hostsByID(hosts []api.Host) evidence {
	e := make(evidence, len(hosts))
	for i := range hosts {
		e[hosts[i].Instance] = &hosts[i]
	}
	return e
}

// releaseReason says why the host no longer needs a route for this destination, or
// ReasonNoEvidence. Silence is not evidence: a lost lease, an empty report and a missing
// record all keep the route.
func (e evidence) releaseReason(id api.InstanceID, destination netip.Prefix) api.Reason {
	h := e[id]
	switch {
	case h == nil:
		return api.ReasonNoEvidence
	case h.Life == api.LifeGone:
		return api.ReasonHostGone
	case h.Life == api.LifeLeft:
		return api.ReasonHostLeft
	case len(h.Subnets) > 0 && !reportsPrefix(h, destination):
		return api.ReasonSubnetReleased
	default:
		return api.ReasonNoEvidence
	}
}

// noReleaseText says in words why the reason is ReasonNoEvidence.
func (e evidence) noReleaseText(id api.InstanceID) string {
	h := e[id]
	switch {
	case h == nil:
		return string(id) + " is not in the registry"
	case len(h.Subnets) == 0:
		return h.Label() + " reports no subnet at all"
	default:
		return h.Label() + " still reports it"
	}
}

// owner is the host, or a stand-in that has only the id.
func (e evidence) owner(id api.InstanceID) *api.Host {
	if h := e[id]; h != nil {
		return h
	}
	return &api.Host{Report: api.Report{Instance: id}}
}

func reportsPrefix(h *api.Host, destination netip.Prefix) bool {
	return slices.ContainsFunc(h.Subnets, func(s api.Subnet) bool { return s.Prefix == destination })
}
