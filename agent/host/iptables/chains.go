package iptables

import (
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// Our ipsets. The rules match them, so that hosts come and go without a rule being touched.
const (
	setLocal = "sealane-local" // this host's subnets
	setPeers = "sealane-peers" // the other hosts' subnets and private addresses
)

// setName is the name of a set of this family; those of IPv6 end with 6.
func setName(f host.Family, name string) string { return name + host.ByFamily(f, "", "6") }

// Our chains. Chain names are part of what operators see and scripts may rely on.
const (
	ChainRaw   = "SEALANE-RAW"
	ChainFwd   = "SEALANE-FWD"
	DockerUser = "DOCKER-USER"
	mine       = "-m comment --comment sealane"
	accept     = mine + " -j ACCEPT"
)

// chainOf is our chain in a table.
func chainOf(table string) string {
	if table == "raw" {
		return ChainRaw
	}
	return ChainFwd
}

// passage is what our chains of a family let through.
type passage struct {
	family   host.Family
	uplink   string
	strict   bool     // what is published only
	docker   bool     // chain DOCKER is there, which says what is published
	handedTo []string // the bridges that packets of others are handed to by the redirect
}

// rules are those of our chain of a table, in the form iptables prints them. The accepts are
// stateless, so that a flow of which the host sees one direction only is not dropped. The
// uplink is matched so that no local container can pose as a remote one.
func (p passage) rules(table string) []string {
	if table == "raw" {
		return append([]string{p.inward(ChainRaw, "-i "+p.uplink, accept)}, p.errors(ChainRaw, "-i "+p.uplink)...)
	}
	rules := append(p.published(), p.outward())
	for _, bridge := range p.handedTo {
		// What is handed to a bridge comes in by it, and goes out by no other.
		through := "-i " + bridge + " -o " + bridge
		rules = append(append(rules, p.inward(ChainFwd, through, accept)), p.errors(ChainFwd, through)...)
	}
	return rules
}

// published are the rules for what comes in by the uplink. Strictly, new connections go through
// Docker's own chain, which accepts what is published, and end there.
func (p passage) published() []string {
	in := "-i " + p.uplink
	if !p.strict {
		return []string{p.inward(ChainFwd, in, accept)}
	}
	rules := []string{p.inward(ChainFwd, in, "-m conntrack --ctstate RELATED,ESTABLISHED "+accept)}
	if p.docker {
		rules = append(rules, p.inward(ChainFwd, in, mine+" -j DOCKER"))
	}
	return append(rules, p.inward(ChainFwd, in, mine+" -j DROP"))
}

func (p passage) inward(chain, in, target string) string {
	return rule(chain, in, p.match(setPeers), "src", p.match(setLocal), "dst", target)
}

func (p passage) outward() string {
	return rule(ChainFwd, "-o "+p.uplink, p.match(setLocal), "src", p.match(setPeers), "dst", accept)
}

// errors let path MTU discovery and traceroute work: routers on the way answer to container
// addresses from their own.
func (p passage) errors(chain, in string) []string {
	var rules []string
	for _, icmp := range icmpMatches(p.family) {
		rules = append(rules, rule(chain, in, "-p "+icmp[0], p.match(setLocal), "dst", icmp[1], accept))
	}
	return rules
}

func (p passage) match(set string) string { return "-m set --match-set " + setName(p.family, set) }

// icmpMatches are those of what routers tell a sender: that a packet was too big, or took
// too many hops.
func icmpMatches(f host.Family) [][2]string {
	return host.ByFamily(f,
		[][2]string{{"icmp", "-m icmp --icmp-type 3/4"}, {"icmp", "-m icmp --icmp-type 11"}},
		[][2]string{{"ipv6-icmp", "-m icmp6 --icmpv6-type 2"}, {"ipv6-icmp", "-m icmp6 --icmpv6-type 3"}})
}

func rule(chain string, parts ...string) string {
	return "-A " + chain + " " + strings.Join(parts, " ")
}

// jump is a rule that leads from a chain of others to ours.
type jump struct {
	table, from, to string
	first           bool // must be the first rule; otherwise being there is enough
}

// jumps are all the places our chains are called from. DOCKER-USER is the one chain that
// Docker puts first and never empties; up to 28.1 it ends with RETURN, so only the first
// place counts. The jump in FORWARD stands in after somebody ran iptables -F, until Docker
// restarts. Docker only appends to raw PREROUTING.
func jumps() []jump {
	return []jump{
		{"raw", "PREROUTING", ChainRaw, true},
		{"filter", DockerUser, ChainFwd, true},
		{"filter", "FORWARD", ChainFwd, false},
	}
}

// is reports whether a printed rule is this jump, with our comment or without.
func (j jump) is(rule string) bool {
	rest, ok := strings.CutPrefix(rule, "-A "+j.from+" ")
	rest = strings.TrimPrefix(strings.ReplaceAll(rest, `"`, ""), mine+" ")
	return ok && rest == "-j "+j.to
}

// moves are the lines that bring the jump to its place among the rules of the chain it
// leads from; none if it is there, once. A jump that others got ahead of is taken out and
// put first again in the same transaction.
func (j jump) moves(rules []string) []string {
	var lines []string
	at := -1
	for i, r := range rules {
		if j.is(r) {
			at = i
			lines = append(lines, "-D"+strings.TrimPrefix(r, "-A"))
		}
	}
	if len(lines) == 1 && (!j.first || at == 0) {
		return nil
	}
	return append(lines, "-I "+j.from+" 1 "+mine+" -j "+j.to)
}

// printPrefix tells IPv6 apart where people read it.
func printPrefix(f host.Family) string { return host.ByFamily(f, "", "ip6tables ") }

// alike reports whether rules that were read back are ours, written in another way. Between
// writing and reading somebody else may have been at the chain.
func alike(printed, want []string) bool {
	ours := func(r string) bool { return strings.Contains(strings.ReplaceAll(r, `"`, ""), mine) }
	foreign := func(i int) bool { return ours(want[i]) && !ours(printed[i]) }
	if len(printed) != len(want) {
		return false
	}
	for i := range want {
		if foreign(i) {
			return false
		}
	}
	return true
}
