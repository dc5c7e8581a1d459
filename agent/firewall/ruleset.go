package firewall

import (
	"cmp"
	"slices"
)

// Ruleset is a parsed dump. It does not change; many may walk it at once.
type Ruleset struct {
	bases    []*chain // in the order in which a packet meets them, hook by hook
	unproven []string
	marks    []markUse
	docker   DockerTable
}

// The tools that keep rules.
const (
	iptablesNFT    = "iptables-nft"
	iptablesLegacy = "iptables-legacy"
	nftables       = "nftables"
)

// Unproven are the reasons why the answers are not the whole truth: parts of the firewall
// that could not be read, and chains that are not modelled and may drop.
func (r *Ruleset) Unproven() []string { return slices.Clone(r.unproven) }

type table struct {
	backend, family, name string
	chains                map[string]*chain
	order                 []*chain // as printed
}

type chain struct {
	table    *table
	backend  string // what prints its rules
	name     string
	rules    []*rule
	hook     hook // of a base chain
	priority int
	nat      bool
	drop     bool // its policy
}

// rule is a rule, step by step: what it asks, what it changes, what it decides.
type rule struct {
	text  string
	steps []step
}

// step says go on, does not match, a change or a decision.
type step func(*walk) decision

// decision is what a step says about a packet.
type decision struct {
	kind   kind
	chain  string      // to jump or go to
	change func(*walk) // of a change, or how to translate
}

type kind int

const (
	goOn      kind = iota // no word about it: the next step follows, after the last one the next rule
	differs               // the packet does not match: the next rule follows
	unknown               // the step is a condition that is not understood
	undecided             // it is a decision that is not understood
	change                // it changes the packet and goes on
	accept
	drop
	back // to the chain that jumped here; at the top, to the policy
	jump
	leap // goto: as jump, but back goes to this chain's caller
	translate
)

type hook int

const (
	nowhere hook = iota
	prerouting
	input
	forward
	output
	postrouting
)

func hookNamed(name string) hook {
	return map[string]hook{
		"prerouting": prerouting, "input": input, "forward": forward, "output": output, "postrouting": postrouting,
	}[name]
}

// addChain returns the chain of that name, new if need be.
func (t *table) addChain(name string) *chain {
	if c, ok := t.chains[name]; ok {
		return c
	}
	c := &chain{table: t, backend: t.backend, name: name}
	t.chains[name] = c
	t.order = append(t.order, c)
	return c
}

func (c *chain) appendRule(steps []step, text string) {
	c.rules = append(c.rules, &rule{text: text, steps: steps})
}

// ruleAt is the rule of that number for an answer.
func (c *chain) ruleAt(number int, text string) Rule {
	return Rule{Backend: c.backend, Family: c.table.family, Table: c.table.name, Chain: c.name, Number: number, Text: text}
}

// always is a step that does not depend on the packet.
func always(d decision) step {
	return func(*walk) decision { return d }
}

// arrange sorts the base chains as the kernel calls them. All chains of type nat hang on one
// dispatcher at the priority of iptables' nat table, by their own priority among themselves.
// Among equals the kernel calls the one that was made last first (nf_hook_entries_grow), which
// a dump does not tell: here the order is that of the dump.
func (r *Ruleset) arrange(tables []*table) {
	for _, t := range tables {
		for _, c := range t.order {
			if c.hook != nowhere {
				r.bases = append(r.bases, c)
			}
		}
	}
	slices.SortStableFunc(r.bases, func(a, b *chain) int {
		return cmp.Or(cmp.Compare(a.hook, b.hook), cmp.Compare(a.slot(), b.slot()), cmp.Compare(a.priority, b.priority))
	})
}

func (c *chain) slot() int {
	if c.nat {
		return natPriority(c.hook)
	}
	return c.priority
}

// natPriority is that of destination translation on the way in, of source translation on the way out.
func natPriority(h hook) int {
	if h == prerouting || h == output {
		return -100
	}
	return 100
}
