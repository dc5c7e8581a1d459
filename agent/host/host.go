// Package host is the only code that touches a host's kernel and firewall. It reads facts
// ([Host.Facts]), brings the host to a whole wish ([Host.Apply]), says when to look again
// ([Host.Watch]) and undoes all of it ([Host.Restore]).
//
// What it puts in place lies beside Docker's rules and never in them: chains SEALANE-RAW
// and SEALANE-FWD with one jump each from raw PREROUTING, DOCKER-USER and FORWARD, the sets
// sealane-local and sealane-peers they match, the nft table "ip sealane" that keeps source
// addresses, and net.ipv4.ip_forward. It never sets a policy. One rule set serves Docker
// 20.10 to 29 with the iptables backend, since it goes ahead of everything these engines
// drop: the policy of FORWARD, the last rule of chain DOCKER (28.0 on) and the rules for
// each container in raw PREROUTING (28.2 on).
//
// Everything acts in the network namespace of the calling process, so several hosts can
// live on one machine, each with its own state directory.
package host

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
)

// Options say how to work on a host.
type Options struct {
	StateDir string       // where former values are remembered; made when absent
	Bridges  []string     // the Docker bridges whose subnets are served
	Log      *slog.Logger // for what is not worth an error: a watch that cannot be set up
}

// Facts are what a host is like at one moment.
type Facts struct {
	Bridges    []Bridge       // those of Options.Bridges that exist, in that order
	Uplink     string         // the interface that carries the host's private address; empty if none does
	Forwarding bool           // net.ipv4.ip_forward
	Kept       []netip.Prefix // toward these the source address is kept now; neighbours are one
	Docker     bool           // Docker's chains are in place, in whatever backend
	DockerNFT  bool           // Docker uses its own nft table, whose drops no other table overrides
	Variant    Variant        // what Docker writes its rules with, and so do we
	Default    Variant        // what the plain command "iptables" writes
	Blocked    Variant        // the variant that Docker does not use, if it drops by policy what is forwarded
	Kernel     string         // release
	Missing    []string       // what this process needs and has not: a capability, a command
}

// Bridge is a Docker bridge.
type Bridge struct {
	Name      string
	Up        bool           // a bridge without containers is down and still routes
	Addresses []netip.Prefix // IPv4 addresses with their mask, host bits kept, sorted
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

// Wish is the whole state a host is brought to.
type Wish struct {
	Uplink   string         // interface toward the other hosts
	Forward  bool           // turn net.ipv4.ip_forward on; false leaves it alone
	Locals   []netip.Prefix // subnets of this host that others may reach
	Remotes  []netip.Prefix // subnets of other hosts; none overlaps Locals
	Peers    []netip.Addr   // private addresses of other hosts
	KeepFrom []netip.Prefix // of Locals, those whose source address is kept
	Keep     []netip.Prefix // of Remotes, those toward which it is kept

	// Incomplete says that the lists may lack members, because not everything they come from
	// could be read: what they name is added, and nothing is taken away.
	Incomplete bool
}

// Outcome is what became of a wish. Each part is tried even when another fails.
type Outcome struct {
	Repairs    []Repair
	Forwarding error // why net.ipv4.ip_forward was not turned on
	Rules      error // why the rules are not in place
	Source     error // why source addresses are not kept as wished
}

// Err joins the errors of all parts; nil when the wish is fulfilled.
func (o Outcome) Err() error { return errors.Join(o.Forwarding, o.Rules, o.Source) }

// Repair is one thing that had to be changed.
type Repair struct {
	Kind Kind
	What string // for people: which chain, set, value
}

func (r Repair) String() string { return string(r.Kind) + " " + r.What }

// Kind names what was repaired; the label of the repair counter.
type Kind string

// The kinds of repair.
const (
	KindForwarding Kind = "forwarding" // net.ipv4.ip_forward turned on
	KindSet        Kind = "set"        // a set made or its members changed
	KindChain      Kind = "chain"      // a chain of ours refilled
	KindJump       Kind = "jump"       // a jump to a chain of ours put (back) into its place
	KindSource     Kind = "source"     // the table that keeps source addresses replaced or removed
)
