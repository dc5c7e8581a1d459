// Package firewall reads a dump of a host's firewall, once, and answers what it does: which
// rule drops a packet, which of the packets between many subnets are dropped, which bits of a
// mark are in use, what Docker keeps there. It is pure: the caller runs the tools.
//
// What is modelled, for IPv4 and IPv6: every base chain of the families ip, ip6 and inet at
// the hooks that a packet crosses, whichever tool made it, in order of priority; both variants
// of iptables; marks set on the way; and the translation of a connection's first packet. In
// all of them an accept ends its base chain only; a drop is final.
//
// What is not: the translation of later packets, whose addresses the caller gives as they are
// on arrival; the second trip that a packet to the host itself makes over lo; the families
// bridge, arp and netdev, whose chains are named by [Ruleset.Unproven] where they may drop.
// A rule that is not understood is taken not to match and named in the answer.
package firewall

import (
	"fmt"
	"net/netip"
)

// Dump is a firewall as its tools print it. What the host does not have stays empty; what
// could not be read is in Unread, since silence is no pass.
type Dump struct {
	NFT, NFT6       string // iptables-save and ip6tables-save of the nft variant
	Legacy, Legacy6 string // of the legacy variant

	// Ruleset is what "nft -j list ruleset" prints. Several documents may follow one another:
	// what a later one says of a set or of a chain's rules counts.
	Ruleset string
	Dormant []string                  // tables of nftables that are asleep: "inet NAME"; nft 1.0.6 does not tell
	Sets    map[string][]netip.Prefix // ipsets of type hash:net or hash:ip by name
	Unread  []Unread
}

// Unread is a part of the firewall that could not be read.
type Unread struct {
	Source string // for example "nftables" or "iptables-save (legacy)"
	Reason string // for example "the command nft is not installed"
}

func (u Unread) String() string { return u.Source + " could not be read: " + u.Reason }

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
	ToHost             bool // Dst is an address of the host itself: hook input is walked, not forward
}

// Verdict is a packet's fate. An accepted one carries the addresses that its receiver sees.
type Verdict struct {
	Dropped     bool
	By          Rule   // what sent it to another destination, or else dropped it
	Unsure      []Rule // not understood, reached by the packet, and able to decide otherwise
	Src         netip.Addr
	Masqueraded bool // Src is left empty: it becomes an address of Out
	Dst         netip.Addr
	DstPort     uint16
	RoutingMark uint32 // the mark it carries when its route is looked up, of one that comes in
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

// nftObject is one object of what nft -j prints; the others do not matter.
type nftObject struct {
	Table *struct {
		Family, Name string
		Flags        any
	}
	Chain *nftChain
	Rule  *nftRule
	Set   *nftSet
	Map   *nftSet
}

type nftChain struct {
	Family, Table, Name string
	Type, Hook, Policy  string
	Prio                int
}

type nftRule struct {
	Family, Table, Chain, Comment string
	Expr                          []any
}

type nftSet struct {
	Family, Table, Name string
	Elem                []any
}

// nftTable is a table as printed: its chains, their rules and the sets that these name.
type nftTable struct {
	family, name string
	asleep       bool
	chains       []*nftChain
	rules        map[string][]*nftRule
	sets         map[string][]any // elements, of sets and maps
}

// stringsOf are the strings of a list, or the one that is there without a list around it.
func stringsOf(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	list, _ := v.([]any)
	var all []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
