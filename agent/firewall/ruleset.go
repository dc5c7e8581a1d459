package firewall

import (
	"cmp"
	"slices"
)

// Ruleset is a parsed dump. It does not change; many may walk it at once.
type Ruleset struct {
	bases []*chain // in the order in which a packet meets them, hook by hook
}

type table struct {
	backend, family, name string
	chains                map[string]*chain
	order                 []*chain // as printed
}

type chain struct {
	table    *table
	name     string
	rules    []*rule
	hook     hook // of a base chain
	priority int
	nat      bool
	drop     bool // its policy
}

type rule struct {
	Rule
	matches []match               // all must hold
	marks   []func(uint32) uint32 // what it does to the packet's mark
	decide  func(*walk) decision
	rest    *rule // what follows a map of decisions that decided nothing
	unknown bool  // has a match that is not understood
}

// match is a condition of a rule.
type match func(*walk) bool

// decision is what a rule says about a packet that matches it.
type decision struct {
	kind  kind
	chain string      // to jump or go to
	nat   func(*walk) // how to translate

	missed bool // kind is next since a map has no such key: the rule ends here
}

type kind int

const (
	next kind = iota // no word about it: the next rule follows
	accept
	drop
	back // to the chain that jumped here; at the top, to the policy
	jump
	leap // goto: as jump, but back goes to this chain's caller
	translate
	unknown
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
	switch name {
	case "prerouting":
		return prerouting
	case "input":
		return input
	case "forward":
		return forward
	case "output":
		return output
	case "postrouting":
		return postrouting
	default:
		return nowhere
	}
}

// add returns the chain of that name, new if need be.
func (t *table) add(name string) *chain {
	if c, ok := t.chains[name]; ok {
		return c
	}
	c := &chain{table: t, name: name}
	t.chains[name] = c
	t.order = append(t.order, c)
	return c
}

func (c *chain) append(r *rule, text string) {
	c.rules = append(c.rules, r)
	r.Rule = c.place(len(c.rules), text)
}

func (c *chain) place(number int, text string) Rule {
	return Rule{Backend: c.table.backend, Family: c.table.family, Table: c.table.name, Chain: c.name, Number: number, Text: text}
}

// always is a decision that does not depend on the packet.
func always(d decision) func(*walk) decision {
	return func(*walk) decision { return d }
}

// arrange sorts the base chains as the kernel calls them. All chains of type nat hang on one
// dispatcher at the priority of iptables' nat table, by their own priority among themselves.
// Among equals the kernel calls the one that was made last first (nf_hook_entries_grow), which
// a dump does not tell: here the order is that of the dump.
func arrange(tables []*table) *Ruleset {
	r := &Ruleset{}
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
	return r
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
