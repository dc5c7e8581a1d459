package seed

// What is added to a world is checked against what is there, as a seed with it would be.
// Errors are of kind api.ErrInvalid and name every mistake.

// CheckInstance checks an instance that is to come, and fills in its defaults.
func (s Seed) CheckInstance(i Instance) (Instance, error) {
	c := s.checker()
	i = c.checkInstance("instance", i)
	return i, c.asError("add instance " + i.ID)
}

// CheckVSwitch checks a vSwitch that a VPC is to get, and fills in its defaults.
func (s Seed) CheckVSwitch(vpc string, sw VSwitch) (VSwitch, error) {
	c := s.checker()
	for _, v := range s.VPCs {
		if v.ID != vpc {
			continue
		}
		for _, t := range v.Tables {
			c.tables[t.ID] = v.ID
		}
		v.VSwitches = append(v.VSwitches, sw)
		sw = c.checkVSwitch("vSwitch", v, len(v.VSwitches)-1, s.Zone)
	}
	return sw, c.asError("add vSwitch " + sw.ID)
}

// CheckTable checks a table that a VPC is to get, and fills in its defaults.
func (s Seed) CheckTable(vpc string, t Table) (Table, error) {
	c := s.checker()
	t = c.checkTable("table", t, vpc)
	return t, c.asError("add table " + t.ID)
}

// CheckGroup checks a security group that a VPC is to get, or that is to take the place of the
// one with its id. Its rules get ids from the number given before on; the last one is returned.
func (s Seed) CheckGroup(vpc string, g SecurityGroup, given int) (SecurityGroup, int, error) {
	c := s.checker()
	if _, replaced := c.groups[g.ID]; replaced {
		delete(c.ids, g.ID)
	}
	c.groups[g.ID], c.rules = vpc, given
	g = c.checkGroup("securityGroup", g, vpc)
	return g, c.rules, c.asError("set security group " + g.ID)
}

// checker knows what the seed holds, to check what is added to it.
func (s Seed) checker() *checker {
	c := newChecker()
	for _, v := range s.VPCs {
		c.ids[v.ID], c.ids[v.VRouter] = "VPC "+v.ID, "VPC "+v.ID
		for _, sw := range v.VSwitches {
			c.vswitches[sw.ID], c.home[sw.ID] = sw, v.ID
			c.ids[sw.ID] = "vSwitch " + sw.ID
		}
		for _, t := range v.Tables {
			c.ids[t.ID] = "table " + t.ID
		}
		for _, g := range v.SecurityGroups {
			c.ids[g.ID] = "security group " + g.ID
			c.groups[g.ID], c.enterprise[g.ID] = v.ID, g.Type == EnterpriseGroup
		}
	}
	for _, i := range s.Instances {
		c.ids[i.ID] = "instance " + i.ID
		for _, f := range i.Attached() {
			c.ids[f.ID], c.ids[f.MAC] = "instance "+i.ID, "instance "+i.ID
			for _, a := range f.Addresses() {
				c.ids[a.String()] = "instance " + i.ID
			}
		}
	}
	return c
}
