package alisim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Limits of rules.
const (
	ruleLimit = 1000 // of all groups of one interface together
	callLimit = 100  // in one call
	peerLimit = 20   // rules of a group that name another group
)

// authorize adds rules for one direction, given as Permissions.N or, the old way, as one
// rule at the top level. A rule that is there already is a silent success.
func authorize(d Direction) handler {
	return func(w *world, c *call) (reply, error) {
		v, g, err := groupFor(w, c)
		if err != nil {
			return nil, err
		}
		given, err := rulesAsked(w, c, v, g, d)
		if err != nil {
			return nil, err
		}
		rules := slices.Clone(g.rules(d))
		for _, r := range given {
			if !slices.ContainsFunc(rules, r.same) {
				rules = append(rules, r)
			}
		}
		changed := *g
		changed.set(d, rules)
		if err := roomForRules(w, changed); err != nil {
			return nil, err
		}
		for i := range rules {
			if rules[i].ID == "" {
				rules[i].ID = w.nextRuleID()
			}
		}
		g.set(d, rules)
		w.touch()
		return &body{}, nil
	}
}

// revoke removes rules, by their ids or by what they say. One that is not there is a silent
// success, as long as it is not named by its id.
func revoke(d Direction) handler {
	return func(w *world, c *call) (reply, error) {
		v, g, err := groupFor(w, c)
		if err != nil {
			return nil, err
		}
		ids := c.list("SecurityGroupRuleId")
		var given []Rule
		if len(ids) == 0 {
			if given, err = rulesAsked(w, c, v, g, d); err != nil {
				return nil, err
			}
		}
		unknown := refuse("InvalidParam.SecurityGroupRuleId")
		if d == Egress {
			unknown = refuse("InvalidSecurityGroupRule.RuleNotExist")
		}
		for _, id := range ids {
			if !slices.ContainsFunc(g.rules(d), func(r Rule) bool { return r.ID == id }) {
				return nil, unknown
			}
		}
		g.set(d, slices.DeleteFunc(slices.Clone(g.rules(d)), func(r Rule) bool {
			return slices.Contains(ids, r.ID) || slices.ContainsFunc(given, r.same)
		}))
		w.touch()
		return &body{}, nil
	}
}

// modifyRule changes one rule in place; what is not given stays. Without an id it is the rule
// that says the same, as before rules had ids; so Terraform changes a description.
func modifyRule(d Direction) handler {
	return func(w *world, c *call) (reply, error) {
		v, g, err := groupFor(w, c)
		if err != nil {
			return nil, err
		}
		rules := slices.Clone(g.rules(d))
		id := c.get("SecurityGroupRuleId")
		meant := func(r Rule) bool { return r.ID == id }
		if id == "" {
			given, err := readRule(w, item{call: c}, Rule{}, v, g, d)
			if err != nil {
				return nil, err
			}
			meant = given.same
		}
		at := slices.IndexFunc(rules, meant)
		if at < 0 {
			return nil, refuse("InvalidSecurityGroupRule.RuleNotExist")
		}
		if rules[at], err = readRule(w, item{call: c}, rules[at], v, g, d); err != nil {
			return nil, err
		}
		g.set(d, rules)
		w.touch()
		return &body{}, nil
	}
}

func rulesAsked(w *world, c *call, v *vpc, g *SecurityGroup, d Direction) ([]Rule, error) {
	items := c.items("Permissions")
	if len(items) == 0 {
		items = []item{{call: c}}
	}
	if len(items) > callLimit {
		return nil, refuse("InvalidParam.Permissions")
	}
	rules := make([]Rule, len(items))
	for i, it := range items {
		r, err := readRule(w, it, Rule{}, v, g, d)
		if err != nil {
			return nil, err
		}
		rules[i] = r
	}
	return rules, nil
}

// readRule reads a rule over another, whose values hold where nothing is given.
func readRule(w *world, it item, r Rule, v *vpc, g *SecurityGroup, d Direction) (Rule, error) {
	peer, err := readPeer(w, it, v, g, d)
	if err != nil {
		return r, err
	}
	if peer != (Rule{}) {
		r.Source, r.Destination, r.Group = peer.Source, peer.Destination, peer.Group
	}
	r.Protocol = cmp.Or(it.get("IpProtocol"), r.Protocol)
	r.Ports = cmp.Or(it.get("PortRange"), r.Ports)
	r.Policy = cmp.Or(it.get("Policy"), r.Policy)
	r.Description = it.call.changed(it.prefix+"Description", r.Description)
	if text := it.get("Priority"); text != "" {
		if r.Priority, err = strconv.Atoi(text); err != nil || r.Priority < 1 {
			return r, malformed("Priority")
		}
	}
	switch {
	case !r.Source.IsValid() && !r.Destination.IsValid() && r.Group == "":
		return r, missing(it.prefix + "SourceCidrIp")
	case r.Protocol == "":
		return r, missing(it.prefix + "IpProtocol")
	case len(r.Description) > 512 || strings.HasPrefix(r.Description, "http://") || strings.HasPrefix(r.Description, "https://"):
		return r, malformed("Description")
	}
	r = r.complete()
	if bad := r.wrong(); bad != "" {
		return r, malformed(bad)
	}
	return r, nil
}

// readPeer reads whom a rule is about; the zero rule when that is not given.
func readPeer(w *world, it item, v *vpc, g *SecurityGroup, d Direction) (Rule, error) {
	side := "Source"
	if d == Egress {
		side = "Dest"
	}
	if group := it.get(side + "GroupId"); group != "" {
		of, other := w.group(group)
		switch {
		case g.Type == EnterpriseGroup:
			return Rule{}, refuse("InvalidOperation.SecurityGroupType")
		case other == nil || of != v:
			return Rule{}, refuse("Invalid" + side + "GroupId.NotFound")
		}
		return Rule{Group: group}, nil
	}
	text := cmp.Or(it.get(side+"CidrIp"), it.get("Ipv6"+side+"CidrIp"))
	if text == "" {
		return Rule{}, nil
	}
	p, err := parseDestination(text, Refuse)
	switch {
	case err != nil, p.Addr().Is4() != (it.get(side+"CidrIp") != ""):
		return Rule{}, malformed(side + "CidrIp")
	case d == Egress:
		return Rule{Destination: p}, nil
	}
	return Rule{Source: p}, nil
}

// roomForRules says whether a group may have these rules: 1000 over all groups of an interface,
// 20 that name other groups.
func roomForRules(w *world, g SecurityGroup) error {
	count := func(g SecurityGroup) int { return len(g.Ingress) + len(g.Egress) }
	worst := count(g)
	for _, n := range w.nics() {
		if !slices.Contains(n.Interface.SecurityGroups, g.ID) {
			continue
		}
		sum := count(g)
		for _, id := range n.Interface.SecurityGroups {
			if _, o := w.group(id); o != nil && id != g.ID {
				sum += count(*o)
			}
		}
		worst = max(worst, sum)
	}
	if worst > ruleLimit || groupRules(g) > peerLimit {
		return refuse("AuthorizationLimitExceed")
	}
	return nil
}

// malformed is ECS's word for a value that is wrong.
func malformed(parameter string) *refusal {
	r := refuse("Invalid" + parameter + ".Malformed")
	r.message = "The specified parameter " + parameter + " is not valid."
	return r
}
