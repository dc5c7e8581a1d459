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
// Of claims that overlap, the one that entries are already marked for wins, then the older
// one, then the smaller instance id. An entry of ours stands for its host until there is
// evidence that the host let it go, also when the host reports nothing or is not in the
// registry: nobody else is given an overlapping subnet, so what flows goes on flowing.
func Desired(hosts []api.Host, have []api.Route, rules Rules) ([]api.Route, []api.Conflict) {
	rules.Tables = slices.Compact(slices.Sorted(slices.Values(rules.Tables)))
	check := newChecker(rules)
	known := gather(hosts)
	holdings := holdingsIn(known, have, rules)
	claims, conflicts := claimed(hosts, holdings, check)
	claims = append(claims, kept(holdings, known, check)...)
	slices.SortFunc(claims, compareClaims)

	want := []api.Route{}
	var taken taken
	for _, c := range claims {
		holder := taken.overlapping(c.prefix)
		switch {
		case c.standing == keeps:
			taken.add(c)
		case holder != nil:
			conflicts = append(conflicts, c.refusedFor(*holder))
		default:
			taken.add(c)
			want = append(want, c.routes(rules, holdings)...)
		}
	}
	slices.SortFunc(want, api.CompareRoutes)
	slices.SortFunc(conflicts, compareConflicts)
	return want, conflicts
}

// standing ranks claims: smaller goes first.
type standing int

const (
	incumbent standing = iota // reported, and an entry is marked for it
	keeps                     // an entry is marked for it and nothing says that it may go
	newcomer                  // reported, no entry yet
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

// claimed turns reports into claims and refuses those that may not be routed at all.
func claimed(hosts []api.Host, holdings holdings, check checker) (claims []claim, conflicts []api.Conflict) {
	conflicts = []api.Conflict{}
	for i := range hosts {
		h := &hosts[i]
		if h.Life.Withdraws() {
			continue
		}
		for _, p := range subnets(h) {
			tables, held := holdings[holding{h.Instance, p}]
			c := claim{host: h, prefix: p, standing: newcomer, age: age(h, p)}
			if held {
				c.standing = incumbent
			}
			refusal := check.host(h, p)
			if refusal == nil && h.Life == api.LifeMissing && len(tables) == 0 {
				refusal = &api.Conflict{Reason: api.ReasonInstanceUnknown}
			}
			if refusal != nil {
				conflicts = append(conflicts, c.refused(*refusal))
				continue
			}
			claims = append(claims, c)
		}
	}
	return claims, conflicts
}

// kept are the standing claims of entries that no evidence lets go of. An entry that may
// not be routed at all holds nothing: it could otherwise lock out a whole pool.
func kept(holdings holdings, hosts evidence, check checker) []claim {
	var claims []claim
	for h := range holdings {
		if hosts.verdict(h.host, h.prefix) == api.ReasonNoEvidence && check.prefix(h.prefix) == nil {
			claims = append(claims, claim{host: hosts.owner(h.host), prefix: h.prefix, standing: keeps})
		}
	}
	return claims
}

// routes are the claim's routes: one for each table, but for a host that the cloud does
// not know only those that are there already.
func (c claim) routes(rules Rules, holdings holdings) []api.Route {
	there := holdings[holding{c.host.Instance, c.prefix}]
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

func (c claim) refused(why api.Conflict) api.Conflict {
	why.Destination, why.Host, why.HostName = c.prefix, c.host.Instance, c.host.Name
	return why
}

func (c claim) refusedFor(holder claim) api.Conflict {
	return c.refused(api.Conflict{Reason: api.ReasonOverlapsClaim, With: holder.prefix, Holder: holder.host.Label()})
}

// subnets are the prefixes that a host reports, each once: two bridges may say the same.
func subnets(h *api.Host) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(h.Subnets))
	for _, s := range h.Subnets {
		if !slices.Contains(prefixes, s.Prefix) {
			prefixes = append(prefixes, s.Prefix)
		}
	}
	return prefixes
}

// age is the revision of the host's own claim for the prefix; without one it is the youngest.
func age(h *api.Host, p netip.Prefix) int64 {
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
