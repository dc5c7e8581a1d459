package ecs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Limits of rules.
const (
	ruleLimit = 1000 // of all groups of one interface together
	callLimit = 100  // in one call
	peerLimit = 20   // rules of a group that name another group
)

// authorizeRules adds rules for one direction, given as Permissions.N or, the old way, as one
// rule at the top level. A rule that is there already is a silent success.
func authorizeRules(d seed.Direction) call.Handler {
	return func(w *world.World, c *call.Call) (call.Reply, error) {
		v, g, err := groupFor(w, c)
		if err != nil {
			return nil, err
		}
		given, err := rulesAsked(w, c, v, g, d)
		if err != nil {
			return nil, err
		}
		rules := slices.Clone(g.RulesOf(d))
		for _, r := range given {
			if !slices.ContainsFunc(rules, r.SameAs) {
				rules = append(rules, r)
			}
		}
		changed := *g
		changed.SetRules(d, rules)
		if err := roomForRules(w, changed); err != nil {
			return nil, err
		}
		for i := range rules {
			if rules[i].ID == "" {
				rules[i].ID = w.NextRuleID()
			}
		}
		g.SetRules(d, rules)
		w.Touch()
		return &call.Body{}, nil
	}
}

// revokeRules removes rules, by their ids or by what they say. One that is not there is a silent
// success, as long as it is not named by its id.
func revokeRules(d seed.Direction) call.Handler {
	return func(w *world.World, c *call.Call) (call.Reply, error) {
		v, g, err := groupFor(w, c)
		if err != nil {
			return nil, err
		}
		ids := c.Scalars("SecurityGroupRuleId")
		var given []seed.Rule
		if len(ids) == 0 {
			if given, err = rulesAsked(w, c, v, g, d); err != nil {
				return nil, err
			}
		}
		unknown := world.NewRefusal("InvalidParam.SecurityGroupRuleId")
		if d == seed.Egress {
			unknown = world.NewRefusal("InvalidSecurityGroupRule.RuleNotExist")
		}
		for _, id := range ids {
			if !slices.ContainsFunc(g.RulesOf(d), func(r seed.Rule) bool { return r.ID == id }) {
				return nil, unknown
			}
		}
		g.SetRules(d, slices.DeleteFunc(slices.Clone(g.RulesOf(d)), func(r seed.Rule) bool {
			return slices.Contains(ids, r.ID) || slices.ContainsFunc(given, r.SameAs)
		}))
		w.Touch()
		return &call.Body{}, nil
	}
}

// modifyRule changes one rule in place; what is not given stays. Without an id it is the rule
// that says the same, as before rules had ids; so Terraform changes a description.
func modifyRule(d seed.Direction) call.Handler {
	return func(w *world.World, c *call.Call) (call.Reply, error) {
		v, g, err := groupFor(w, c)
		if err != nil {
			return nil, err
		}
		rules := slices.Clone(g.RulesOf(d))
		id := c.Param("SecurityGroupRuleId")
		meant := func(r seed.Rule) bool { return r.ID == id }
		if id == "" {
			given, err := readRule(w, call.Item{Call: c}, seed.Rule{}, v, g, d)
			if err != nil {
				return nil, err
			}
			meant = given.SameAs
		}
		at := slices.IndexFunc(rules, meant)
		if at < 0 {
			return nil, world.NewRefusal("InvalidSecurityGroupRule.RuleNotExist")
		}
		if rules[at], err = readRule(w, call.Item{Call: c}, rules[at], v, g, d); err != nil {
			return nil, err
		}
		g.SetRules(d, rules)
		w.Touch()
		return &call.Body{}, nil
	}
}

func rulesAsked(w *world.World, c *call.Call, v *world.VPC, g *seed.SecurityGroup, d seed.Direction) ([]seed.Rule, error) {
	items := c.Items("Permissions")
	if len(items) == 0 {
		items = []call.Item{{Call: c}}
	}
	if len(items) > callLimit {
		return nil, world.NewRefusal("InvalidParam.Permissions")
	}
	rules := make([]seed.Rule, len(items))
	for i, it := range items {
		r, err := readRule(w, it, seed.Rule{}, v, g, d)
		if err != nil {
			return nil, err
		}
		rules[i] = r
	}
	return rules, nil
}

// readRule reads a rule over another, whose values hold where nothing is given.
func readRule(w *world.World, it call.Item, r seed.Rule, v *world.VPC, g *seed.SecurityGroup, d seed.Direction) (seed.Rule, error) {
	peer, err := readPeer(w, it, v, g, d)
	if err != nil {
		return r, err
	}
	if peer != (seed.Rule{}) {
		r.Source, r.Destination, r.Group = peer.Source, peer.Destination, peer.Group
	}
	r.Protocol = cmp.Or(it.Param("IpProtocol"), r.Protocol)
	r.Ports = cmp.Or(it.Param("PortRange"), r.Ports)
	r.Policy = cmp.Or(it.Param("Policy"), r.Policy)
	r.Description = it.Call.Updated(it.Prefix+"Description", r.Description)
	if text := it.Param("Priority"); text != "" {
		if r.Priority, err = strconv.Atoi(text); err != nil || r.Priority < 1 {
			return r, malformedParameter("Priority")
		}
	}
	switch {
	case !r.Source.IsValid() && !r.Destination.IsValid() && r.Group == "":
		return r, world.MissingParameter(it.Prefix + "SourceCidrIp")
	case r.Protocol == "":
		return r, world.MissingParameter(it.Prefix + "IpProtocol")
	case len(r.Description) > 512 || strings.HasPrefix(r.Description, "http://") || strings.HasPrefix(r.Description, "https://"):
		return r, malformedParameter("Description")
	}
	r = r.Completed()
	if bad := r.WrongParameter(); bad != "" {
		return r, malformedParameter(bad)
	}
	return r, nil
}

// readPeer reads whom a rule is about; the zero rule when that is not given.
func readPeer(w *world.World, it call.Item, v *world.VPC, g *seed.SecurityGroup, d seed.Direction) (seed.Rule, error) {
	side := "Source"
	if d == seed.Egress {
		side = "Dest"
	}
	if group := it.Param(side + "GroupId"); group != "" {
		of, other := w.SecurityGroup(group)
		switch {
		case g.Type == seed.EnterpriseGroup:
			return seed.Rule{}, world.NewRefusal("InvalidOperation.SecurityGroupType")
		case other == nil || of != v:
			return seed.Rule{}, world.NewRefusal("Invalid" + side + "GroupId.NotFound")
		}
		return seed.Rule{Group: group}, nil
	}
	text := cmp.Or(it.Param(side+"CidrIp"), it.Param("Ipv6"+side+"CidrIp"))
	if text == "" {
		return seed.Rule{}, nil
	}
	p, err := world.ParseDestination(text, world.Refuse)
	switch {
	case err != nil, p.Addr().Is4() != (it.Param(side+"CidrIp") != ""):
		return seed.Rule{}, malformedParameter(side + "CidrIp")
	case d == seed.Egress:
		return seed.Rule{Destination: p}, nil
	}
	return seed.Rule{Source: p}, nil
}

// roomForRules says whether a group may have these rules: 1000 over all groups of an interface,
// 20 that name other groups.
func roomForRules(w *world.World, g seed.SecurityGroup) error {
	count := func(g seed.SecurityGroup) int { return len(g.Ingress) + len(g.Egress) }
	worst := count(g)
	for _, n := range w.NICs() {
		if !slices.Contains(n.Interface.SecurityGroups, g.ID) {
			continue
		}
		sum := count(g)
		for _, id := range n.Interface.SecurityGroups {
			if _, o := w.SecurityGroup(id); o != nil && id != g.ID {
				sum += count(*o)
			}
		}
		worst = max(worst, sum)
	}
	if worst > ruleLimit || groupRules(g) > peerLimit {
		return world.NewRefusal("AuthorizationLimitExceed")
	}
	return nil
}

// malformedParameter is ECS's word for a value that is wrong.
func malformedParameter(parameter string) *world.Refusal {
	r := world.NewRefusal("Invalid" + parameter + ".Malformed")
	r.Message = "The specified parameter " + parameter + " is not valid."
	return r
}
