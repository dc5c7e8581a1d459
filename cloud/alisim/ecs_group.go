package alisim

import (
	"slices"
	"strings"
)

func describeSecurityGroups(s *Sim, c *call) (reply, error) {
	ids, err := c.array("SecurityGroupIds")
	if err != nil {
		return nil, err
	}
	var found []securityGroupItem
	for _, v := range s.world.vpcs {
		for _, g := range v.groups {
			if listed(ids, g.ID) && c.matches("SecurityGroupId", g.ID) && c.matches("VpcId", v.ID) &&
				c.matches("SecurityGroupName", g.Name) && c.matches("SecurityGroupType", g.Type) && c.tagged(g.Tags) &&
				c.matches("NetworkType", "vpc") && c.matches("ServiceManaged", "false") && c.blank("ResourceGroupId") {
				found = append(found, s.world.groupItem(v, g))
			}
		}
	}
	page, n, next, err := pageEither(c, found, 100)
	if err != nil {
		return nil, err
	}
	out := &securityGroups{numbered: n, RegionID: s.world.region, NextToken: next}
	out.SecurityGroups.SecurityGroup = page
	return out, nil
}

func (w *world) groupItem(v *vpc, g *SecurityGroup) securityGroupItem {
	out := securityGroupItem{
		SecurityGroupID: g.ID, SecurityGroupName: g.Name, SecurityGroupType: g.Type, VpcID: v.ID, CreationTime: stamp(w.born),
		RuleCount: len(g.Ingress) + len(g.Egress), GroupToGroupRuleCount: g.grants(), Tags: ecsTags(g.Tags),
	}
	for _, i := range w.instances {
		if slices.Contains(i.SecurityGroups, g.ID) {
			out.EcsCount++
		}
	}
	return out
}

// grants counts the rules that name another group.
func (g *SecurityGroup) grants() int {
	n := 0
	for _, r := range slices.Concat(g.Ingress, g.Egress) {
		if r.Group != "" {
			n++
		}
	}
	return n
}

func describeSecurityGroupAttribute(s *Sim, c *call) (reply, error) {
	v, g, err := s.groupFor(c)
	if err != nil {
		return nil, err
	}
	size, err := c.clamped("MaxResults", 500, 10, 1000)
	if err != nil {
		return nil, err
	}
	var found []permission
	for _, d := range [...]Direction{Ingress, Egress} {
		if want := c.get("Direction"); want != "" && !strings.EqualFold(want, "all") && !strings.EqualFold(want, string(d)) {
			continue
		}
		for _, r := range g.rules(d) {
			found = append(found, r.permission(d, s.world.groupName, s.world.account, s.world.born))
		}
	}
	page, next, err := pageAfter(c, found, size)
	if err != nil {
		return nil, err
	}
	out := &securityGroup{
		RegionID: s.world.region, VpcID: v.ID, SecurityGroupID: g.ID, SecurityGroupName: g.Name,
		InnerAccessPolicy: g.InnerAccess, NextToken: next,
	}
	out.Permissions.Permission = page
	return out, nil
}

func (w *world) groupName(id string) string {
	if _, g := w.group(id); g != nil {
		return g.Name
	}
	return ""
}

// modifySecurityGroupPolicy says whether the members of a normal group reach one another.
func modifySecurityGroupPolicy(s *Sim, c *call) (reply, error) {
	_, g, err := s.groupFor(c)
	if err != nil {
		return nil, err
	}
	policy := Rule{Policy: c.get("InnerAccessPolicy")}.complete().Policy
	switch {
	case c.get("InnerAccessPolicy") == "":
		return nil, missing("InnerAccessPolicy")
	case policy != "Accept" && policy != "Drop":
		return nil, refuse("InvalidInnerAccessPolicy.Malformed")
	case g.Type == EnterpriseGroup:
		return nil, refuse("InvalidOperation.SecurityGroupType")
	}
	g.InnerAccess = policy
	s.wake()
	return &body{}, nil
}

// groupFor is the group that SecurityGroupId names.
func (s *Sim) groupFor(c *call) (*vpc, *SecurityGroup, error) {
	id := c.get("SecurityGroupId")
	if id == "" {
		return nil, nil, missing("SecurityGroupId")
	}
	v, g := s.world.group(id)
	if g == nil {
		return nil, nil, refuse("InvalidSecurityGroupId.NotFound")
	}
	return v, g, nil
}
