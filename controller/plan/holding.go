package plan

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// holding is a host's hold on a destination: an entry in some table is marked for it.
type holding struct {
	host   api.InstanceID
	prefix netip.Prefix
}

// holdings are all of them, each with the served tables where the entry also points at the
// host.
// A drifted entry still holds its destination, so that an edit by hand never decides who
// owns a subnet.
type holdings map[holding][]api.TableID

func holdingsIn(hosts evidence, have []api.Route, rules Rules) holdings {
	all := make(holdings, len(have))
	for _, r := range have {
		if !r.OwnedBy(rules.Cluster) {
			continue
		}
		h := holding{r.Mark.Host, r.Destination}
		tables := all[h]
		if r.SameTarget(toward(hosts.owner(r.Mark.Host))) && slices.Contains(rules.Tables, r.Table) {
			tables = append(tables, r.Table)
		}
		all[h] = tables
	}
	return all
}

// taken is a binary trie of prefixes for each family, so that 1000 hosts cost 1000 short
// walks and not a million comparisons.
type taken struct {
	v4, v6 node
}

func (t *taken) root(p netip.Prefix) *node {
	if p.Addr().Is4() {
		return &t.v4
	}
	return &t.v6
}

type node struct {
	child [2]*node
	claim *claim
}

// add takes the claim's prefix. Of two claims for the same prefix the first stays.
func (t *taken) add(c claim) {
	n := t.root(c.prefix)
	for depth := range c.prefix.Bits() {
		next := &n.child[bit(c.prefix, depth)]
		if *next == nil {
			*next = &node{}
		}
		n = *next
	}
	if n.claim == nil {
		n.claim = &c
	}
}

// overlapping returns a claim that was added and overlaps the prefix: the widest that
// contains it, or else the first inside it; nil if there is none.
func (t *taken) overlapping(p netip.Prefix) *claim {
	n := t.root(p)
	for depth := range p.Bits() {
		if n == nil || n.claim != nil {
			break
		}
		n = n.child[bit(p, depth)]
	}
	// Nodes exist only on the way to a claim, so every way down ends at one.
	for n != nil && n.claim == nil {
		if n.child[0] != nil {
			n = n.child[0]
		} else {
			n = n.child[1]
		}
	}
	if n == nil {
		return nil
	}
	return n.claim
}

func bit(p netip.Prefix, depth int) int {
	a := p.Addr().As16()
	if p.Addr().Is4() {
		depth += 96 // As16 maps IPv4 into IPv6
	}
	return int(a[depth/8] >> (7 - depth%8) & 1)
}
