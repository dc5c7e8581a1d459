// Package firewall walks a packet through a dump of a host's firewall and says which rule
// drops it. It is pure: the caller reads iptables-save and nft, and asks as many packets as
// it likes.
//
// What is modelled, for IPv4 and IPv6: the hooks of the families ip, ip6 and inet, their
// base chains in order of priority, both variants of iptables beside nftables' own tables,
// marks set on the way, and the translation of a connection's first packet. In all of them
// an accept ends its base chain only; a drop is final.
//
// What is not: the translation of later packets, whose addresses the caller gives as they
// are on arrival; the second trip that a packet to the host itself makes over lo; tables of
// the families bridge, arp and netdev. A rule that is not understood is taken not to match
// and named in the verdict.
package firewall

import (
	"fmt"
	"net/netip"
)

// Dump is a firewall as its tools print it. What the host does not have stays empty.
type Dump struct {
	NFT, NFT6       string                    // iptables-save and ip6tables-save of the nft variant
	Legacy, Legacy6 string                    // of the legacy variant
	Ruleset         string                    // nft list ruleset
	Sets            map[string][]netip.Prefix // ipsets of type hash:net or hash:ip by name
}

// Packet is what rules look at. In is the interface it comes in by, empty for one that the
// host sends itself; Out the one that it would leave by, after translation.
type Packet struct {
	In, Out            string
	Src, Dst           netip.Addr
	Proto              string // tcp, udp or icmp, the last for IPv6 too
	SrcPort, DstPort   uint16
	ICMPType, ICMPCode uint8
	State              string // of its connection: new (also when empty), established, related, invalid, untracked
	Mark               uint32
	ToHost             bool // Dst is an address of the host itself
}

// Verdict is a packet's fate. An accepted one carries the addresses that its receiver sees.
type Verdict struct {
	Dropped     bool
	By          Rule   // what dropped it
	Unsure      []Rule // not understood, reached by the packet, and able to decide otherwise
	Src         netip.Addr
	Masqueraded bool // Src is left empty: it becomes an address of Out
	Dst         netip.Addr
	DstPort     uint16
}

// Rule is a rule and where to find it. Number counts from 1 in its chain; 0 is the policy.
type Rule struct {
	Backend string // iptables-nft, iptables-legacy or nftables
	Family  string // ip, ip6 or inet
	Table   string
	Chain   string
	Number  int
	Text    string // as the tool prints it
}

// String is the rule for an operator to find and to read.
func (r Rule) String() string {
	place := fmt.Sprintf("%s, table %s %s, chain %s", r.Backend, r.Family, r.Table, r.Chain)
	if r.Number == 0 {
		return place + ", " + r.Text
	}
	return fmt.Sprintf("%s, rule %d: %s", place, r.Number, r.Text)
}

// Parse reads a dump. A table that iptables-nft printed is left out of the nft listing, where
// it shows a second time. An error, of kind [api.ErrInvalid], means that a text is no dump;
// a rule that is merely not understood is none.
func Parse(d Dump) (*Ruleset, error) {
	var all []*table
	for _, s := range []struct{ backend, family, text string }{
		{"iptables-nft", "ip", d.NFT},
		{"iptables-nft", "ip6", d.NFT6},
		{"iptables-legacy", "ip", d.Legacy},
		{"iptables-legacy", "ip6", d.Legacy6},
	} {
		tables, err := parseSave(s.backend, s.family, s.text, d.Sets)
		if err != nil {
			return nil, fmt.Errorf("%s of family %s: %w", s.backend, s.family, err)
		}
		all = append(all, tables...)
	}
	tables, err := parseListing(d.Ruleset)
	if err != nil {
		return nil, fmt.Errorf("nft ruleset: %w", err)
	}
	for _, t := range tables {
		if !printedTwice(t, all) {
			all = append(all, t)
		}
	}
	return arrange(all), nil
}

// printedTwice says whether a table of the nft listing is one of iptables-nft's.
func printedTwice(t *table, saved []*table) bool {
	for _, s := range saved {
		if s.backend == "iptables-nft" && s.family == t.family && s.name == t.name {
			return true
		}
	}
	return false
}
