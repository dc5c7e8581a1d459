package alisim

import (
	"cmp"
	"fmt"
	"net/netip"
)

func (c *checker) table(path string, t Table, vpc string) Table {
	c.id(path+".id", t.ID)
	c.tables[t.ID] = vpc
	t.Quota = cmp.Or(t.Quota, defaultQuota)
	if t.Quota < 0 {
		c.say(path+".quota", "%d is negative", t.Quota)
	}
	t.Routes = append([]Route(nil), t.Routes...)
	seen := map[netip.Prefix]bool{}
	for i, r := range t.Routes {
		rp := fmt.Sprintf("%s.routes[%d]", path, i)
		if c.network(rp+".destination", r.Destination) && seen[r.Destination] {
			c.say(rp+".destination", "%s is in the table already", r.Destination)
		}
		seen[r.Destination] = true
		if r.NextHop == "" {
			c.say(rp+".nextHop", "is missing")
		}
		r.NextHopType = cmp.Or(r.NextHopType, HopInstance)
		r.State = cmp.Or(r.State, Available)
		if !r.State.known() {
			c.say(rp+".state", "%q is none of Available, Pending, Modifying, Deleting", r.State)
		}
		if describe(r.Name, r.Description) != nil {
			c.say(rp, "the name or description is too long or looks like a web address")
		}
		t.Routes[i] = r
	}
	return t
}

// destinations refuses routes that the API would refuse whatever their next hop. In a custom
// table a route for just a vSwitch is its system entry, pointed elsewhere.
func (c *checker) destinations(path string, v VPC) {
	for i, t := range v.Tables {
		for j, r := range t.Routes {
			if bad := v.kept(t, r.Destination); bad != "" {
				c.say(fmt.Sprintf("%s.tables[%d].routes[%d].destination", path, i, j), "%s is %s", r.Destination, bad)
			}
		}
	}
}

// kept says why a table takes no route for a destination, or "".
func (v VPC) kept(t Table, d netip.Prefix) string {
	if !d.IsValid() {
		return "" // said elsewhere
	}
	if d == serviceRange() || forbidden(d) {
		return "kept for the cloud itself"
	}
	for _, s := range v.VSwitches {
		for _, p := range [...]netip.Prefix{s.CIDR, s.IPv6} {
			if p.IsValid() && p.Contains(d.Addr()) && p.Bits() <= d.Bits() && (t.System || p != d) {
				return "in the vSwitch " + s.ID
			}
		}
	}
	return ""
}
