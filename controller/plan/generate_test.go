package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/api"
)

const (
	ours   = "lab"
	theirs = "other"
	vpc    = api.VPCID("vpc-1")
)

// anyCluster makes small clusters over few prefixes, so that claims, routes, vSwitches and
// reserved ranges meet often.
func anyCluster() *rapid.Generator[cluster] {
	return rapid.Custom(func(t *rapid.T) cluster {
		hosts := anyHosts().Draw(t, "hosts")
		tables := rapid.SliceOfNDistinct(anyTable(), 1, 3, rapid.ID).Draw(t, "tables")
		pools := rapid.SampledFrom([][]netip.Prefix{
			prefixes("10.0.0.0/8", "172.16.0.0/12", "fd00::/8"),
			prefixes("10.0.0.0/8"),
			prefixes("10.0.0.0/15", "172.16.0.0/12", "100.0.0.0/8", "fd00::/47"),
			prefixes("0.0.0.0/0", "::/0"),
		}).Draw(t, "pools")
		c := cluster{
			hosts: hosts,
			have:  anyRoutes(hosts).Draw(t, "have"),
			rules: Rules{Cluster: ours, VPC: vpc, Pools: pools, Tables: tables, VSwitches: anyVSwitches().Draw(t, "vswitches")},
			guard: anyGuard().Draw(t, "guard"),
		}
		c.guard.Pools = pools
		if !oneIn(t, 3, "fresh") {
			c = c.aged(t)
		}
		c = c.witnessed(t)
		for _, table := range rapid.SliceOfNDistinct(anyTable(), 0, 2, rapid.ID).Draw(t, "limited") {
			c.guard.Quota[table] = rapid.IntRange(0, 4).Draw(t, "room")
			for _, r := range c.have {
				if r.Table == table {
					c.guard.Quota[table]++
				}
			}
		}
		if oneIn(t, 4, "confirmed") {
			c.guard.Confirmed = c.plan().DeletesID()
		}
		return c
	})
}

// witnessed is the cluster with marks that tell their age, and with some foreign routes
// given to sealane.
func (c cluster) witnessed(t *rapid.T) cluster {
	c.have = slices.Clone(c.have)
	dated := oneIn(t, 3, "dated")
	for i := range c.have {
		r := &c.have[i]
		r.ID = fmt.Sprintf("rte-%d", i)
		switch {
		case r.OwnedBy(ours) && dated:
			r.Mark.Generation = int64(rapid.IntRange(1, 9).Draw(t, "generation"))
			r.Stale = oneIn(t, 4, "old key")
		case !r.OwnedBy(ours) && !oneIn(t, 3, "kept foreign"):
			c.guard.Adopt = append(c.guard.Adopt, api.Adoption{Table: r.Table, Destination: r.Destination, NextHop: r.NextHop, ID: r.ID})
		}
	}
	if dated {
		c.guard.Revision = int64(rapid.IntRange(5, 12).Draw(t, "revision"))
		c.guard.Accepted = int64(rapid.IntRange(0, 9).Draw(t, "accepted"))
	}
	return c
}

// aged is the cluster some time later: while all hosts were alive a controller wrote what
// it could; then some routes were edited or deleted, some hosts got other subnets (new ones, or those
// of another host), and some records were lost.
func (c cluster) aged(t *rapid.T) cluster {
	young := c
	young.hosts = slices.Clone(c.hosts)
	for i := range young.hosts {
		young.hosts[i].Life = api.LifeAlive
	}
	young.guard = Guard{Cluster: ours, Policy: api.PolicyFull, RegistryComplete: true, Pools: c.rules.Pools}
	have, err := apply(young.plan(), c.have)
	if err != nil {
		t.Fatal(err)
	}
	c.have = nil
	for _, r := range have {
		fate := rapid.IntRange(0, 7).Draw(t, "route")
		if r.OwnedBy(ours) && fate == 6 { // deleted by hand
			c.guard.Written[r.Key()] = true
			continue
		}
		if r.OwnedBy(ours) && fate == 7 { // edited by hand
			r.NextHop = string(anyID().Draw(t, "pointed to"))
		}
		c.have = append(c.have, r)
	}
	var hosts []api.Host
	for _, h := range c.hosts {
		switch rapid.IntRange(0, 7).Draw(t, "fate") {
		case 7: // its record is lost
		case 2, 3:
			other := rapid.OneOf(anyHost(), rapid.SampledFrom(c.hosts)).Draw(t, "changed")
			h.Subnets, h.Claims = other.Subnets, other.Claims
			hosts = append(hosts, h)
		default:
			hosts = append(hosts, h)
		}
	}
	c.hosts = hosts
	return c
}

func oneIn(t *rapid.T, n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == n }

func anyTable() *rapid.Generator[api.TableID] {
	return rapid.SampledFrom([]api.TableID{"vtb-1", "vtb-2", "vtb-3"})
}

func anyVSwitches() *rapid.Generator[[]VSwitch] {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]VSwitch{
		{"vsw-2", prefix("10.0.3.0/24")},
		{"vsw-1", prefix("10.9.1.0/24")},
		{"vsw-4", prefix("10.9.64.0/24")},
		{"vsw-3", prefix("192.168.0.0/17")},
		{"vsw-1", prefix("fd00:0:9:1::/64")},
		{"vsw-2", prefix("fd00:0:0:3::/64")},
	}), 0, 6, rapid.ID)
}

// routable are prefixes that are mostly fine and overlap each other a lot.
func routable() []netip.Prefix {
	return prefixes("10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/23", "10.0.0.128/25", "10.0.2.0/24", "10.1.0.0/16",
		"10.1.2.0/24", "10.1.0.0/24", "172.17.0.0/16", "172.18.0.0/16",
		"fd00::/64", "fd00:0:0:1::/64", "fd00::/63", "fd00::8000:0:0:0/65", "fd00:0:1::/48", "a00::/24")
}

// difficult are prefixes that are refused, some of them under some rules only.
func difficult() []netip.Prefix {
	return prefixes("10.0.3.0/24", "10.9.0.0/16", "10.9.1.128/25", "10.0.2.0/23", "192.168.0.0/24", "100.64.1.0/24", "100.0.0.0/9",
		"127.0.0.0/8", "169.254.0.0/16", "224.0.1.0/24", "255.0.0.0/8", "0.0.0.0/0", "0.0.0.0/1", "10.0.0.1/24", "10.1.2.3/24",
		"::ffff:10.0.0.0/120", "::ffff:172.17.0.0/112", "fd00:0:0:3::/64", "fd00:0:9::/48", "fd00:0:0:2::/63", "fe80::/64", "ff05::/16", "::/0", "::/1", "::1/128", "64:ff9b::/96",
		"fd00::1/64")
}

func anyPrefix() *rapid.Generator[netip.Prefix] {
	fine, all := routable(), append(routable(), difficult()...)
	return rapid.OneOf(rapid.SampledFrom(fine), rapid.SampledFrom(fine), rapid.SampledFrom(all))
}

func anyID() *rapid.Generator[api.InstanceID] {
	return rapid.SampledFrom([]api.InstanceID{"i-1", "i-2", "i-3", "i-4", "i-5", "i-6", "i-7"})
}

func anyHosts() *rapid.Generator[[]api.Host] {
	return rapid.SliceOfNDistinct(anyHost(), 2, 7, func(h api.Host) api.InstanceID { return h.Instance })
}

func anyHost() *rapid.Generator[api.Host] {
	return rapid.Custom(func(t *rapid.T) api.Host {
		h := api.Host{Report: api.Report{Instance: anyID().Draw(t, "id"), VPC: vpc}}
		h.Name = rapid.SampledFrom([]string{"", "web-" + string(h.Instance)}).Draw(t, "name")
		if oneIn(t, 6, "second interface") {
			h.Uplink = api.InterfaceID("eni-" + string(h.Instance))
		}
		if oneIn(t, 16, "elsewhere") {
			h.VPC = "vpc-2"
		}
		h.Life = rapid.SampledFrom([]api.Life{ // the first are drawn more often
			api.LifeAlive, api.LifeGone, api.LifeLeft, api.LifeAlive, api.LifeMissing, api.LifeSilent, api.LifeAlive,
			api.LifeStopped, api.LifeRegistered,
		}).Draw(t, "life")
		for _, p := range rapid.SliceOfN(anyPrefix(), 0, 3).Draw(t, "subnets") {
			h.Subnets = append(h.Subnets, api.Subnet{Prefix: p, Bridge: "br"})
			if !oneIn(t, 4, "unclaimed") {
				by := rapid.SampledFrom([]api.InstanceID{h.Instance, h.Instance, h.Instance, "i-9"}).Draw(t, "claimed by")
				h.Claims = append(h.Claims, api.Claim{Prefix: p, Instance: by, Revision: int64(rapid.IntRange(1, 9).Draw(t, "age"))})
			}
		}
		return h
	})
}

// anyRoutes are routes of every kind, many of them as a controller would have written them.
func anyRoutes(hosts []api.Host) *rapid.Generator[[]api.Route] {
	place := rapid.Custom(func(t *rapid.T) api.Route {
		r := api.Route{Table: anyTable().Draw(t, "table"), State: api.RouteAvailable}
		host := anyID().Draw(t, "host")
		r.Destination = anyPrefix().Draw(t, "destination").Masked()
		if len(hosts) > 0 && rapid.Bool().Draw(t, "reported") {
			h := rapid.SampledFrom(hosts).Draw(t, "by")
			if len(h.Subnets) > 0 {
				host, r.Destination = h.Instance, rapid.SampledFrom(h.Subnets).Draw(t, "subnet").Prefix.Masked()
			}
		}
		r.NextHop = string(host)
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 5:
			r.NextHop = "vpn-1"
		case 6:
			r.Mark = api.Mark{Cluster: theirs, Host: host}
		case 7:
			r.Mark = api.Mark{Cluster: ours, Host: host}
			r.NextHop = string(anyID().Draw(t, "pointed to"))
		default:
			r.Mark = api.Mark{Cluster: ours, Host: host}
		}
		if oneIn(t, 6, "unsettled") {
			r.State = rapid.SampledFrom([]api.RouteState{api.RoutePending, api.RouteModifying, api.RouteDeleting}).Draw(t, "state")
		}
		return r
	})
	return rapid.SliceOfNDistinct(place, 0, 8, api.Route.Key)
}

func anyGuard() *rapid.Generator[Guard] {
	return rapid.Custom(func(t *rapid.T) Guard {
		g := Guard{
			Cluster:          ours,
			RegistryComplete: !oneIn(t, 8, "registry incomplete"),
			CloudComplete:    !oneIn(t, 8, "cloud incomplete"),
			Policy: rapid.SampledFrom([]api.Policy{
				api.PolicyFull, api.PolicyFull, api.PolicyFull, api.PolicyObserve, api.PolicyNoDelete, api.PolicyCreateOnly, "",
			}).Draw(t, "policy"),
			Deletes: api.GuardConfig{
				MaxDeletes:     rapid.IntRange(0, 3).Draw(t, "max deletes"),
				MaxDeleteShare: rapid.SampledFrom([]float64{0, 0.1, 0.29, 1}).Draw(t, "max share"),
			},
			Quota:   map[api.TableID]int{},
			Written: map[api.RouteKey]bool{},
		}
		for _, p := range rapid.SliceOfN(anyPrefix(), 0, 5).Draw(t, "written") {
			g.Written[api.RouteKey{Table: anyTable().Draw(t, "in"), Destination: p.Masked()}] = true
		}
		return g
	})
}

// GoString prints a cluster as the lines of a script, for a failing law.
func (c cluster) GoString() string {
	var b strings.Builder
	for _, h := range c.hosts {
		fmt.Fprintf(&b, "\nhost %s %s name=%s vpc=%s uplink=%s", h.Instance, h.Life, h.Name, h.VPC, h.Uplink)
		for _, s := range h.Subnets {
			fmt.Fprintf(&b, " %s", s.Prefix)
		}
		for _, claim := range h.Claims {
			fmt.Fprintf(&b, " claim=%s,%s,%d", claim.Prefix, claim.Instance, claim.Revision)
		}
	}
	for _, r := range c.have {
		fmt.Fprintf(&b, "\nroute %s %s %s %s=%s state=%s", r.Table, r.Destination, r.NextHop, r.Mark.Cluster, r.Mark.Host, r.State)
	}
	g := c.guard
	g.Hosts = nil
	fmt.Fprintf(&b, "\nrules %v\nguard %+v\n", c.rules, g)
	return b.String()
}

// TestGeneratorReachesEveryReason keeps the laws from being empty: each reason must occur
// often in what they are checked on.
func TestGeneratorReachesEveryReason(t *testing.T) {
	const clusters, often = 1000, 10
	count := map[api.Reason]int{}
	for seed := range clusters {
		var seen []api.Reason
		p := anyCluster().Example(seed).plan()
		for _, c := range p.Changes {
			seen = append(seen, c.Reason)
		}
		for _, h := range p.Held {
			seen = append(seen, h.Reason)
		}
		for _, c := range p.Conflicts {
			seen = append(seen, c.Reason)
		}
		slices.Sort(seen)
		for _, r := range slices.Compact(seen) {
			count[r]++
		}
	}
	for reason := range api.Reasons() {
		if n := count[reason]; n < often && reason != api.ReasonCloudError { // known only after applying
			t.Errorf("%s occurs in %d of %d clusters, want at least %d", reason, n, clusters, often)
		}
	}
	t.Log(count)
}
