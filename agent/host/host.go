// Package host is the only code that touches a host's kernel, firewall and Docker engine.
// It reads facts ([Host.Facts]), brings the host to a whole wish ([Host.Apply]), says when
// to look again ([Host.Watch]) and undoes all of it ([Host.Restore]). What Apply and
// Restore would do, they can tell beforehand as commands one could type ([Host.Plan],
// [Host.PlanRestore]).
//
// What it puts in place lies beside Docker's rules and never in them: chains SEALANE-RAW
// and SEALANE-FWD with one jump each from raw PREROUTING, DOCKER-USER and FORWARD, the sets
// sealane-local and sealane-peers they match, the nft table "sealane", and a few sysctls.
// It never sets a policy. One rule set serves Docker 20.10 to 29 with the iptables backend,
// since it goes ahead of everything these engines drop: the policy of FORWARD, the last
// rule of chain DOCKER (28.0 on) and the rules for each container in raw PREROUTING (28.2
// on). Docker's nftables backend is served by marks it was told to accept, or by a redirect
// on the uplink.
//
// Everything acts in the network namespace of the calling process, so several hosts can
// live on one machine, each with its own state directory.
package host

import (
	"log/slog"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/agent/host/engine"
)

// Options say how to work on a host. Only StateDir must be given.
type Options struct {
	StateDir  string         // where former values are remembered; made when absent
	SysctlDir string         // where the file that outlives a reboot goes; empty: no such file
	Engine    *engine.Client // the Docker engine of this host; nil: not asked
	Log       *slog.Logger   // for what is not worth an error: a watch that cannot be set up

	DaemonConfig  string // dockerd's configuration file, changed only with RestartEngine
	RestartEngine string // the command of a shell that restarts dockerd; giving it is the leave to use it
}

// Facts are what a host is like at one moment.
type Facts struct {
	Bridges         []Bridge       // every Linux bridge of the host, by name
	Uplink          string         // the interface that carries the host's private address; empty if none does
	UplinkMAC       string         // its hardware address; empty if it has none
	Forwarding      bool           // net.ipv4.ip_forward
	Kept            []netip.Prefix // toward these the source address is kept now; neighbours are one
	Docker          bool           // Docker's chains are in place, in whatever backend
	Engine          engine.Engine  // what the engine's API tells; the zero value if it was not asked or did not answer
	Asked           error          // why the engine's API told nothing; nil if it did, or was not asked
	Redirect        bool           // the uplink hands packets to the bridges, past that table of Docker's
	Native          *Native        // Docker's own nft table, whose drops no other table overrides; nil without one
	Variant         Variant        // what Docker writes its rules with, and so do we
	Default         Variant        // what the plain command "iptables" writes
	Blocked         Variant        // the variant that Docker does not use, if it drops by policy what is forwarded
	Others          []string       // other programs that keep firewall rules here: firewalld, ufw
	Shielded        bool           // Docker itself drops what is not published, whatever the policy of FORWARD
	UserDrops       []string       // rules in DOCKER-USER, not ours, that drop
	Writer          string         // the command that last changed nftables, other than ours
	ReversePath     int            // effective reverse path filter of the uplink: 0 off, 1 strict, 2 loose
	BridgeNetfilter bool           // iptables sees what passes from port to port of a bridge too
	Kernel          string         // release
	Missing         []string       // what this process needs and has not: a capability, a command
}

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
	Up        bool            // a bridge without containers is down and still routes
	Addresses []netip.Prefix  // addresses with their mask, host bits kept, sorted; no link-local ones
	Network   *engine.Network // nil if no network of Docker's is known to be on it
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
