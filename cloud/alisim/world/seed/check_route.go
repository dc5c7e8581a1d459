package seed

import (
	"cmp"
	"fmt"
	"net/netip"
)

func (c *checker) checkTable(path string, t Table, vpc string) Table {
	c.checkID(path+".id", t.ID)
	c.tables[t.ID] = vpc
	t.Quota = cmp.Or(t.Quota, defaultQuota)
	if t.Quota < 0 {
		c.mistake(path+".quota", "%d is negative", t.Quota)
	}
	t.Routes = append([]Route(nil), t.Routes...)
	seen := map[netip.Prefix]bool{}
	for i, r := range t.Routes {
		rp := fmt.Sprintf("%s.routes[%d]", path, i)
		if c.checkNetwork(rp+".destination", r.Destination) && seen[r.Destination] {
			c.mistake(rp+".destination", "%s is in the table already", r.Destination)
		}
		seen[r.Destination] = true
		if r.NextHop == "" {
			c.mistake(rp+".nextHop", "is missing")
		}
		r.NextHopType = cmp.Or(r.NextHopType, HopInstance)
		r.State = cmp.Or(r.State, Available)
		if !r.State.Known() {
			c.mistake(rp+".state", "%q is none of Available, Pending, Modifying, Deleting", r.State)
		}
		if !TextFits(r.Name, NameLimit) || !TextFits(r.Description, DescriptionLimit) {
			c.mistake(rp, "the name or description is too long or looks like a web address")
		}
		t.Routes[i] = r
	}
	return t
}

// checkDestinations refuses routes that the API would refuse whatever their next hop. In a custom
// table a route for just a vSwitch is its system entry, pointed elsewhere.
func (c *checker) checkDestinations(path string, v VPC) {
	for i, t := range v.Tables {
		for j, r := range t.Routes {
			if bad := v.reservedFor(t, r.Destination); bad != "" {
				c.mistake(fmt.Sprintf("%s.tables[%d].routes[%d].destination", path, i, j), "%s is %s", r.Destination, bad)
			}
		}
	}
}

// reservedFor says why a table takes no route for a destination, or "".
func (v VPC) reservedFor(t Table, d netip.Prefix) string {
	if !d.IsValid() {
		return "" // said elsewhere
	}
	if d == ServiceRange() || IsForbidden(d) {
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
