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
			at := fmt.Sprintf("%s.tables[%d].routes[%d].destination", path, i, j)
			d := r.Destination
			switch {
			case !d.IsValid():
			case d == serviceRange() || forbidden(d):
				c.say(at, "%s is kept for the cloud itself", d)
			}
			for _, s := range v.VSwitches {
				for _, p := range [...]netip.Prefix{s.CIDR, s.IPv6} {
					if p.IsValid() && d.IsValid() && p.Contains(d.Addr()) && p.Bits() <= d.Bits() && (t.System || p != d) {
						c.say(at, "%s is in the vSwitch %s", d, s.ID)
					}
				}
			}
		}
	}
}
