package ecs

import (
	"slices"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

func describeSecurityGroups(w *world.World, c *call.Call) (call.Reply, error) {
	ids, err := c.Array("SecurityGroupIds")
	if err != nil {
		return nil, err
	}
	var found []securityGroupItem
	for _, v := range w.VPCs {
		for _, g := range v.Groups {
			if call.Listed(ids, g.ID) && c.Matches("SecurityGroupId", g.ID) && c.Matches("VpcId", v.ID) &&
				c.Matches("SecurityGroupName", g.Name) && c.Matches("SecurityGroupType", g.Type) && c.HasTags(g.Tags) &&
				c.Matches("NetworkType", "vpc") && c.Matches("ServiceManaged", "false") && c.AreBlank("ResourceGroupId") {
				found = append(found, groupShape(w, v, g))
			}
		}
	}
	page, n, next, err := call.EitherPage(c, found, 100)
	if err != nil {
		return nil, err
	}
	out := &securityGroups{Numbered: n, RegionID: w.Region, NextToken: next}
	out.SecurityGroups.SecurityGroup = page
	return out, nil
}

func groupShape(w *world.World, v *world.VPC, g *seed.SecurityGroup) securityGroupItem {
	out := securityGroupItem{
		SecurityGroupID: g.ID, SecurityGroupName: g.Name, SecurityGroupType: g.Type, VpcID: v.ID, CreationTime: call.Stamp(w.Born),
		RuleCount: len(g.Ingress) + len(g.Egress), GroupToGroupRuleCount: groupRules(*g), Tags: ecsTags(g.Tags),
	}
	for _, i := range w.Instances {
		if slices.Contains(i.SecurityGroups, g.ID) {
			out.EcsCount++
		}
	}
	return out
}

// groupRules counts the rules that name another group.
func groupRules(g seed.SecurityGroup) int {
	n := 0
	for _, r := range slices.Concat(g.Ingress, g.Egress) {
		if r.Group != "" {
			n++
		}
	}
	return n
}

func describeSecurityGroupAttribute(w *world.World, c *call.Call) (call.Reply, error) {
	v, g, err := groupFor(w, c)
	if err != nil {
		return nil, err
	}
	size, err := c.Clamped("MaxResults", 500, 10, 1000)
	if err != nil {
		return nil, err
	}
	var found []permission
	for _, d := range [...]seed.Direction{seed.Ingress, seed.Egress} {
		if want := c.Param("Direction"); want != "" && !strings.EqualFold(want, "all") && !strings.EqualFold(want, string(d)) {
			continue
		}
		for _, r := range g.RulesOf(d) {
			found = append(found, permissionShape(w, r, d))
		}
	}
	page, next, err := call.TokenPage(c, found, size)
	if err != nil {
		return nil, err
	}
	out := &securityGroup{
		RegionID: w.Region, VpcID: v.ID, SecurityGroupID: g.ID, SecurityGroupName: g.Name,
		InnerAccessPolicy: g.InnerAccess, NextToken: next,
	}
	out.Permissions.Permission = page
	return out, nil
}

// modifySecurityGroupPolicy says whether the members of a normal group reach one another.
func modifySecurityGroupPolicy(w *world.World, c *call.Call) (call.Reply, error) {
	_, g, err := groupFor(w, c)
	if err != nil {
		return nil, err
	}
	policy := seed.Rule{Policy: c.Param("InnerAccessPolicy")}.Completed().Policy
	switch {
	case c.Param("InnerAccessPolicy") == "":
		return nil, world.MissingParameter("InnerAccessPolicy")
	case policy != "Accept" && policy != "Drop":
		return nil, world.NewRefusal("InvalidInnerAccessPolicy.Malformed")
	case g.Type == seed.EnterpriseGroup:
		return nil, world.NewRefusal("InvalidOperation.SecurityGroupType")
	}
	g.InnerAccess = policy
	w.Touch()
	return &call.Body{}, nil
}

// groupFor is the group that SecurityGroupId names.
func groupFor(w *world.World, c *call.Call) (*world.VPC, *seed.SecurityGroup, error) {
	id := c.Param("SecurityGroupId")
	if id == "" {
		return nil, nil, world.MissingParameter("SecurityGroupId")
	}
	v, g := w.SecurityGroup(id)
	if g == nil {
		return nil, nil, world.NewRefusal("InvalidSecurityGroupId.NotFound")
	}
	return v, g, nil
}
