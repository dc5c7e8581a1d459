package seed

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
)

// Completed is check with an error of kind api.ErrInvalid that names every mistake.
func (s Seed) Completed() (Seed, error) {
	s, mistakes := s.checkAll()
	if err := (&checker{mistakes: mistakes}).asError("simulator seed"); err != nil {
		return Seed{}, err
	}
	return s, nil
}

// checkAll fills in the defaults and looks for mistakes.
func (s Seed) checkAll() (Seed, []mistake) {
	c := newChecker()
	s.Region = cmp.Or(s.Region, defaultRegion)
	s.Zone = cmp.Or(s.Zone, s.Region+"-h")
	s.Account = cmp.Or(s.Account, defaultOwner)
	if _, err := strconv.ParseUint(s.Account, 10, 63); err != nil {
		c.mistake("account", "%q is not a number", s.Account)
	}
	s.Keys = append([]Key(nil), s.Keys...)
	for i, k := range s.Keys {
		s.Keys[i] = c.checkKey(fmt.Sprintf("keys[%d]", i), k)
	}
	for i, r := range s.Roles {
		c.checkRole(fmt.Sprintf("roles[%d]", i), r)
	}
	s.VPCs = append([]VPC(nil), s.VPCs...)
	for i := range s.VPCs {
		s.VPCs[i] = c.checkVPC(fmt.Sprintf("vpcs[%d]", i), s.VPCs[i], s.Zone)
	}
	s.Instances = append([]Instance(nil), s.Instances...)
	for i := range s.Instances {
		s.Instances[i] = c.checkInstance(fmt.Sprintf("instances[%d]", i), s.Instances[i])
	}
	return s, c.mistakes
}

func (c *checker) checkVPC(path string, v VPC, zone string) VPC {
	c.checkID(path+".id", v.ID)
	c.checkIPv4(path+".cidr", v.CIDR)
	for i, p := range v.Secondary {
		c.checkIPv4(fmt.Sprintf("%s.secondary[%d]", path, i), p)
	}
	c.checkIPv6(path+".ipv6Cidr", v.IPv6)
	for i, p := range v.UserCIDRs {
		c.checkIPv4(fmt.Sprintf("%s.userCidrs[%d]", path, i), p)
	}
	v.VRouter = cmp.Or(v.VRouter, "vrt-"+BareID("vpc", v.ID))
	c.checkID(path+".vrouter", v.VRouter)
	v.Tables = c.checkTables(path, v)
	v.VSwitches = append([]VSwitch(nil), v.VSwitches...)
	for i := range v.VSwitches {
		v.VSwitches[i] = c.checkVSwitch(fmt.Sprintf("%s.vswitches[%d]", path, i), v, i, zone)
	}
	c.checkDestinations(path, v)
	v.SecurityGroups = append([]SecurityGroup(nil), v.SecurityGroups...)
	for _, g := range v.SecurityGroups {
		c.groups[g.ID] = v.ID
	}
	for i, g := range v.SecurityGroups {
		v.SecurityGroups[i] = c.checkGroup(fmt.Sprintf("%s.securityGroups[%d]", path, i), g, v.ID)
		c.enterprise[g.ID] = g.Type == EnterpriseGroup
	}
	return v
}

// checkTables checks a VPC's tables and adds a system table where none is named.
func (c *checker) checkTables(path string, v VPC) []Table {
	tables := append([]Table(nil), v.Tables...)
	systems := 0
	for _, t := range tables {
		if t.System {
			systems++
		}
	}
	switch {
	case systems == 0:
		tables = append([]Table{{ID: "vtb-" + BareID("vpc", v.ID) + "-system", System: true}}, tables...)
	case systems > 1:
		c.mistake(path+".tables", "%d of them are system tables; a VPC has one", systems)
	}
	for i := range tables {
		tables[i] = c.checkTable(fmt.Sprintf("%s.tables[%d]", path, i), tables[i], v.ID)
	}
	return tables
}

func (c *checker) checkVSwitch(path string, v VPC, n int, zone string) VSwitch {
	s := v.VSwitches[n]
	c.checkID(path+".id", s.ID)
	s.Name, s.Zone = cmp.Or(s.Name, s.ID), cmp.Or(s.Zone, zone)
	if c.checkIPv4(path+".cidr", s.CIDR) {
		c.checkPlace(path, v, n)
	}
	for _, t := range v.Tables {
		if s.Table == "" && t.System {
			s.Table = t.ID
		}
		if s.Table == t.ID && t.Gateway {
			c.mistake(path+".table", "%q is a gateway table", s.Table)
		}
	}
	if c.tables[s.Table] != v.ID {
		c.mistake(path+".table", "%q is no table of this VPC", s.Table)
	}
	c.vswitches[s.ID], c.home[s.ID] = s, v.ID
	return s
}

// checkPlace checks that a vSwitch lies in its VPC and overlaps no other.
func (c *checker) checkPlace(path string, v VPC, n int) {
	cidr := v.VSwitches[n].CIDR
	inside := false
	for _, p := range append([]netip.Prefix{v.CIDR}, v.Secondary...) {
		inside = inside || p.IsValid() && p.Overlaps(cidr) && p.Bits() <= cidr.Bits()
	}
	if !inside {
		c.mistake(path+".cidr", "%s is outside of the VPC", cidr)
	}
	if six := v.VSwitches[n].IPv6; six.IsValid() {
		c.checkIPv6(path+".ipv6Cidr", six)
		if !v.IPv6.IsValid() || !v.IPv6.Overlaps(six) || v.IPv6.Bits() > six.Bits() {
			c.mistake(path+".ipv6Cidr", "%s is outside of the VPC", six)
		}
	}
	for _, o := range v.VSwitches[:n] {
		if o.CIDR.IsValid() && o.CIDR.Overlaps(cidr) {
			c.mistake(path+".cidr", "%s overlaps %s of %s", cidr, o.CIDR, o.ID)
		}
		if six := v.VSwitches[n].IPv6; o.IPv6.IsValid() && o.IPv6.Overlaps(six) {
			c.mistake(path+".ipv6Cidr", "%s overlaps %s of %s", six, o.IPv6, o.ID)
		}
	}
}

func (c *checker) checkKey(path string, k Key) Key {
	c.checkID(path+".id", k.ID)
	if k.Secret == "" {
		c.mistake(path+".secret", "is missing")
	}
	c.checkPolicy(path, k.Policy)
	if k.Policy != "" {
		k.User = cmp.Or(k.User, k.ID)
	}
	return k
}

func (c *checker) checkRole(path string, r Role) {
	c.checkID(path+".name", r.Name)
	c.checkPolicy(path, r.Policy)
}

func (c *checker) checkPolicy(path string, d Document) {
	if _, err := d.Permissions(); err != nil {
		c.mistake(path+".policy", "%s", err)
	}
}
