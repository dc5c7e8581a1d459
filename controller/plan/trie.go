package plan

import (
	"net/netip"
)

// trie is a binary trie of prefixes for each family, so that 1000 hosts cost 1000 short
// walks and not a million comparisons.
type trie struct {
	v4, v6 node
}

func (t *trie) root(p netip.Prefix) *node {
	if p.Addr().Is4() {
		return &t.v4
	}
	return &t.v6
}

type node struct {
	child [2]*node
	claim *claim
}

// insert takes the claim's prefix. Of two claims for the same prefix the first stays.
func (t *trie) insert(c claim) {
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
func (t *trie) overlapping(p netip.Prefix) *claim {
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
