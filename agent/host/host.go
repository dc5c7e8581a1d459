// Package host holds the values that the rooms of a host share: the facts it is read as, the
// wish it is brought to, and the steps and repairs on the way. It touches nothing and builds
// everywhere; package machine and the rooms beside it do the work.
package host

import (
	"net/netip"
	"slices"
)

// Facts are what a host is like at one moment.
type Facts struct {
	Bridges         []Bridge       // every Linux bridge of the host, by name
	Uplink          string         // the interface that carries the host's private address; empty if none does
	UplinkMAC       string         // its hardware address; empty if it has none
	Forwarding      bool           // net.ipv4.ip_forward
	Kept            []netip.Prefix // toward these the source address is kept now; neighbours are one
	SourceWay       SourceWay      // how it is kept; empty if that cannot be told
	SourceWhy       string         // why it is not by a table; empty if it is
	Docker          bool           // Docker's chains are in place, in whatever backend
	Engine          Engine         // what the engine's API tells; the zero value if it was not asked or did not answer
	Asked           error          // why the engine's API told nothing; nil if it did, or was not asked
	Redirect        bool           // the uplink hands packets to the bridges, past that table of Docker's
	Native          *Native        // Docker's own nft table, whose drops no other table overrides; nil without one
	Variant         Variant        // what Docker writes its rules with, and so do we
	Default         Variant        // what the plain command "iptables" writes
	Blocked         Variant        // the variant that Docker does not use, if it drops by policy what is forwarded
	Others          []string       // other programs that keep firewall rules here: firewalld, ufw
	Bypassed        bool           // Docker's chains of iptables are there, and FORWARD leads to none of them
	Shielded        bool           // Docker itself drops what is not published, whatever the policy of FORWARD
	Open            bool           // the policy of FORWARD, in the variant that Docker uses, is ACCEPT
	RulesOff        bool           // Docker was told to write no rules
	Elsewhere       []string       // sockets of rootless engines, looked for only while none answers
	UserDrops       []string       // rules in DOCKER-USER, not ours, that drop
	Writer          string         // the command that last changed nftables, other than ours
	ReversePath     int            // effective reverse path filter of the uplink: 0 off, 1 strict, 2 loose
	BridgeNetfilter bool           // iptables sees what passes from port to port of a bridge too
	Kernel          string         // release
	Missing         []string       // what this process needs and has not: a capability, a command
	SavedRules      []string       // files read at boot, by path, whose rules name sets or chains of ours: restoring them fails as a whole
}

// Answers reports whether Docker told of its networks.
func (f Facts) Answers() bool { return f.Engine.Version != "" && f.Asked == nil }

// Exposed reports whether strangers reach every port of containers as soon as the host forwards:
// nothing but Docker's own rules would keep them out, which up to version 27 do not.
func (f Facts) Exposed() bool { return f.Open && !f.Shielded && (f.Docker || f.Answers()) }

// Native is what matters of table "ip docker-bridges".
type Native struct {
	Mark, Mask uint32 // packets with this mark pass as if published; zero if Docker was not told to
	Drops      bool   // it drops what is addressed to a container from outside, marked or not
}

// Marks reports whether marked packets get through to every container.
func (n Native) Marks() bool { return n.Mask != 0 && !n.Drops }

// Bridge is a Linux bridge, and the Docker network on it, if the engine told of one.
type Bridge struct {
	Name      string
	Up        bool           // a bridge without containers is down and still routes
	Addresses []netip.Prefix // addresses with their mask, host bits kept, sorted; no link-local ones
	Network   *Network       // nil if no network of Docker's is known to be on it
}

// Prefixes are the masked subnets of the bridge's addresses, sorted, each once.
func (b Bridge) Prefixes() []netip.Prefix {
	var prefixes []netip.Prefix
	for _, a := range b.Addresses {
		prefixes = append(prefixes, a.Masked())
	}
	return slices.Compact(prefixes)
}

// Variant is one of the two places where iptables keeps its rules. Rules written with one
// have no say over what the other drops.
type Variant string

// The variants.
const (
	NFT    Variant = "nft"
	Legacy Variant = "legacy"
)

// SourceWay is how source addresses are kept.
type SourceWay string

// The ways.
const (
	SourceTable SourceWay = "nftables" // a table of ours, ahead of everybody's
	SourceChain SourceWay = "iptables" // a chain of ours, called first from POSTROUTING of table nat
)
