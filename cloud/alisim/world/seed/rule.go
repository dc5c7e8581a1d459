package seed

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// everyPort is how the API writes the ports of a rule that has none or all.
const everyPort = "-1/-1"

// Completed fills in a rule's defaults, in the spelling of the API's answers.
func (r Rule) Completed() Rule {
	r.Protocol = strings.ToUpper(cmp.Or(r.Protocol, "ALL"))
	r.Ports = cmp.Or(r.Ports, everyPort)
	r.Priority = cmp.Or(r.Priority, 1)
	switch {
	case r.Policy == "" || strings.EqualFold(r.Policy, "accept"):
		r.Policy = "Accept"
	case strings.EqualFold(r.Policy, "drop"):
		r.Policy = "Drop"
	}
	return r
}

// SameAs reports whether two completed rules do the same; the API then keeps the first.
func (r Rule) SameAs(o Rule) bool {
	o.ID, o.Description = r.ID, r.Description
	return o == r
}

// portSpan is a rule's range of ports.
func (r Rule) portSpan() (first, last uint16) {
	if f, l, ok := readPorts(r.Ports); ok && r.Ports != everyPort {
		return f, l
	}
	return 0, 65535
}

// WrongParameter is the name of the parameter that is wrong in a completed rule, or "".
func (r Rule) WrongParameter() string {
	_, _, ok := readPorts(r.Ports)
	ported := r.Protocol == "TCP" || r.Protocol == "UDP"
	switch {
	case !slices.Contains([]string{"ALL", "TCP", "UDP", "ICMP", "ICMPV6", "GRE"}, r.Protocol):
		return "IpProtocol"
	case !ok, !ported && r.Ports != everyPort:
		return "PortRange"
	case r.Policy != "Accept" && r.Policy != "Drop":
		return "Policy"
	case r.Priority < 1 || r.Priority > 100:
		return "Priority"
	}
	return ""
}

// readPorts reads "80/443"; "-1/-1" is every port.
func readPorts(text string) (first, last uint16, ok bool) {
	if text == everyPort {
		return 0, 65535, true
	}
	a, b, _ := strings.Cut(text, "/")
	f, err := strconv.ParseUint(a, 10, 16)
	l, err2 := strconv.ParseUint(b, 10, 16)
	return uint16(f), uint16(l), err == nil && err2 == nil && f >= 1 && f <= l //nolint:gosec // 16 bits were asked for
}

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

// RuleID is the id of a rule by its number.
func RuleID(n int) string { return fmt.Sprintf("sgr-sim%016d", n) }

// checkNetwork demands a network of either family without host bits.
func (c *checker) checkNetwork(path string, p netip.Prefix) bool {
	switch {
	case !p.IsValid():
		c.mistake(path, "is missing")
	case p.Addr().Is4In6():
		c.mistake(path, "%s is IPv4 written as IPv6", p)
	case p != p.Masked():
		c.mistake(path, "%s has host bits set: write %s", p, p.Masked())
	default:
		return true
	}
	return false
}
