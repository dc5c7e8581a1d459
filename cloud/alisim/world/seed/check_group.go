package seed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// checkGroup checks a security group of a seed.
func (c *checker) checkGroup(path string, g SecurityGroup, vpc string) SecurityGroup {
	c.checkID(path+".id", g.ID)
	g.Name = cmp.Or(g.Name, g.ID)
	switch {
	case g.Type == "", strings.EqualFold(g.Type, "basic"), g.Type == NormalGroup:
		g.Type = NormalGroup
	case g.Type != EnterpriseGroup:
		c.mistake(path+".type", "%q is neither normal nor enterprise", g.Type)
	}
	if g.Type == EnterpriseGroup {
		g.InnerAccess = cmp.Or(g.InnerAccess, "Drop") // and cannot be otherwise
	}
	g.InnerAccess = cmp.Or(g.InnerAccess, "Accept")
	if g.InnerAccess != "Accept" && g.InnerAccess != "Drop" {
		c.mistake(path+".innerAccess", "%q is neither Accept nor Drop", g.InnerAccess)
	}
	for _, d := range [...]Direction{Ingress, Egress} {
		rules := slices.Clone(g.RulesOf(d))
		for i, r := range rules {
			rules[i] = c.checkRule(fmt.Sprintf("%s.%s[%d]", path, d, i), r, d, g, vpc)
		}
		g.SetRules(d, rules)
	}
	return g
}

func (c *checker) checkRule(path string, r Rule, d Direction, g SecurityGroup, vpc string) Rule {
	peer, name, other := r.Source, "source", r.Destination
	if d == Egress {
		peer, name, other = r.Destination, "destination", r.Source
	}
	switch {
	case other.IsValid():
		c.mistake(path, "an %s rule has only a %s", d, name)
	case r.Group == "":
		c.checkNetwork(path+"."+name, peer)
	case peer.IsValid():
		c.mistake(path, "%s and group exclude one another", name)
	case g.Type == EnterpriseGroup:
		c.mistake(path+".group", "an enterprise group takes no rules that name groups")
	case c.groups[r.Group] != vpc:
		c.mistake(path+".group", "%q is no security group of the VPC", r.Group)
	}
	r = r.Completed()
	if bad := r.WrongParameter(); bad != "" {
		c.mistake(path, "%s is wrong", bad)
	}
	c.rules++
	r.ID = RuleID(c.rules)
	return r
}
