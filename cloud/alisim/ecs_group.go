package alisim

import (
	"slices"
	"strings"
)

func describeSecurityGroups(w *world, c *call) (reply, error) {
	ids, err := c.array("SecurityGroupIds")
	if err != nil {
		return nil, err
	}
	var found []securityGroupItem
	for _, v := range w.vpcs {
		for _, g := range v.groups {
			if listed(ids, g.ID) && c.matches("SecurityGroupId", g.ID) && c.matches("VpcId", v.ID) &&
				c.matches("SecurityGroupName", g.Name) && c.matches("SecurityGroupType", g.Type) && c.tagged(g.Tags) &&
				c.matches("NetworkType", "vpc") && c.matches("ServiceManaged", "false") && c.blank("ResourceGroupId") {
				found = append(found, groupShape(w, v, g))
			}
		}
	}
	page, n, next, err := pageEither(c, found, 100)
	if err != nil {
		return nil, err
	}
	out := &securityGroups{numbered: n, RegionID: w.region, NextToken: next}
	out.SecurityGroups.SecurityGroup = page
	return out, nil
}

func groupShape(w *world, v *vpc, g *SecurityGroup) securityGroupItem {
	out := securityGroupItem{
		SecurityGroupID: g.ID, SecurityGroupName: g.Name, SecurityGroupType: g.Type, VpcID: v.ID, CreationTime: stamp(w.born),
		RuleCount: len(g.Ingress) + len(g.Egress), GroupToGroupRuleCount: groupRules(*g), Tags: ecsTags(g.Tags),
	}
	for _, i := range w.instances {
		if slices.Contains(i.SecurityGroups, g.ID) {
			out.EcsCount++
		}
	}
	return out
}

// groupRules counts the rules that name another group.
func groupRules(g SecurityGroup) int {
	n := 0
	for _, r := range slices.Concat(g.Ingress, g.Egress) {
		if r.Group != "" {
			n++
		}
	}
	return n
}

func describeSecurityGroupAttribute(w *world, c *call) (reply, error) {
	v, g, err := groupFor(w, c)
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
			found = append(found, permissionShape(w, r, d))
		}
	}
	page, next, err := pageAfter(c, found, size)
	if err != nil {
		return nil, err
	}
	out := &securityGroup{
		RegionID: w.region, VpcID: v.ID, SecurityGroupID: g.ID, SecurityGroupName: g.Name,
		InnerAccessPolicy: g.InnerAccess, NextToken: next,
	}
	out.Permissions.Permission = page
	return out, nil
}

// modifySecurityGroupPolicy says whether the members of a normal group reach one another.
func modifySecurityGroupPolicy(w *world, c *call) (reply, error) {
	_, g, err := groupFor(w, c)
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
	w.touch()
	return &body{}, nil
}

// groupFor is the group that SecurityGroupId names.
func groupFor(w *world, c *call) (*vpc, *SecurityGroup, error) {
	id := c.get("SecurityGroupId")
	if id == "" {
		return nil, nil, missing("SecurityGroupId")
	}
	v, g := w.group(id)
	if g == nil {
		return nil, nil, refuse("InvalidSecurityGroupId.NotFound")
	}
	return v, g, nil
}
