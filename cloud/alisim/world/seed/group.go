package seed

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// SecurityGroup is a group of interfaces with the rules for what may come in and go out.
type SecurityGroup struct {
	ID          string            `json:"id" yaml:"id"`
	Name        string            `json:"name,omitempty" yaml:"name,omitempty"` // default the id
	Tags        map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	Type        string            `json:"type,omitempty" yaml:"type,omitempty"`               // normal (default, "basic") or enterprise
	InnerAccess string            `json:"innerAccess,omitempty" yaml:"innerAccess,omitempty"` // among members: Accept (default of normal groups) or Drop
	Ingress     []Rule            `json:"ingress,omitempty" yaml:"ingress,omitempty"`
	Egress      []Rule            `json:"egress,omitempty" yaml:"egress,omitempty"`
}

// The types of security groups, as the API spells them.
const (
	NormalGroup     = "normal"
	EnterpriseGroup = "enterprise"
)

// Rule lets packets pass, or keeps them out: from Source where it is an ingress rule, to
// Destination where it is an egress rule, or of the members of Group. Defaults: every
// protocol, every port, accept, priority 1.
type Rule struct {
	ID          string       `json:"id,omitempty" yaml:"-"` // given by the simulator
	Source      netip.Prefix `json:"source,omitzero" yaml:"source,omitempty"`
	Destination netip.Prefix `json:"destination,omitzero" yaml:"destination,omitempty"`
	Group       string       `json:"group,omitempty" yaml:"group,omitempty"`       // normal groups only
	Protocol    string       `json:"protocol,omitempty" yaml:"protocol,omitempty"` // ALL, TCP, UDP, ICMP, ICMPV6, GRE
	Ports       string       `json:"ports,omitempty" yaml:"ports,omitempty"`       // "80/80"; "-1/-1" for all
	Policy      string       `json:"policy,omitempty" yaml:"policy,omitempty"`     // Accept or Drop
	Priority    int          `json:"priority,omitempty" yaml:"priority,omitempty"` // 1 (first) to 100
	Description string       `json:"description,omitempty" yaml:"description,omitempty"`
}

// Direction is the way of a packet as its interface sees it.
type Direction string

// The directions, as the API spells them.
const (
	Ingress Direction = "ingress"
	Egress  Direction = "egress"
)

// RulesOf are the rules of one direction.
func (g SecurityGroup) RulesOf(d Direction) []Rule {
	if d == Egress {
		return g.Egress
	}
	return g.Ingress
}

// SetRules replaces the rules of one direction.
func (g *SecurityGroup) SetRules(d Direction, rules []Rule) {
	if d == Egress {
		g.Egress = rules
	} else {
		g.Ingress = rules
	}
}

// Clone copies a group with all that it points at.
func (g SecurityGroup) Clone() SecurityGroup {
	g.Ingress, g.Egress, g.Tags = slices.Clone(g.Ingress), slices.Clone(g.Egress), maps.Clone(g.Tags)
	return g
}

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

// RuleID is the id of a rule by its number.
func RuleID(n int) string { return fmt.Sprintf("sgr-sim%016d", n) }
