package host

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// Wish is the whole state a host is brought to.
type Wish struct {
	Uplink   string         // interface toward the other hosts
	Forward  bool           // turn forwarding on; false leaves it alone
	Locals   []Local        // subnets of this host that others may reach
	Remotes  []netip.Prefix // subnets of other hosts; none overlaps Locals
	Peers    []netip.Addr   // private addresses of other hosts
	KeepFrom []netip.Prefix // of Locals, those whose source address is kept
	Keep     []netip.Prefix // of Remotes, those toward which it is kept

	Strict bool   // others reach published ports only
	Way    Way    // how to get through Docker's own nft table
	Leave  []Part // parts to leave as they are

	// Incomplete says that the lists may lack members, because not everything they come from
	// could be read: what they name is added, and nothing is taken away.
	Incomplete bool
}

// PeerPrefixes are the other hosts' subnets and private addresses.
func (w Wish) PeerPrefixes() []netip.Prefix {
	peers := slices.Clone(w.Remotes)
	for _, p := range w.Peers {
		peers = append(peers, netip.PrefixFrom(p, p.BitLen()))
	}
	return peers
}

// LocalPrefixes are the subnets of this host that others may reach.
func (w Wish) LocalPrefixes() []netip.Prefix {
	var all []netip.Prefix
	for _, l := range w.Locals {
		all = append(all, l.Prefix)
	}
	return all
}

// Links are the interfaces that a wish is about, sorted, each once.
func (w Wish) Links() []string {
	links := []string{w.Uplink}
	for _, l := range w.Locals {
		links = append(links, l.Bridge)
	}
	slices.Sort(links)
	return slices.DeleteFunc(slices.Compact(links), func(l string) bool { return l == "" })
}

// WantsIPv6 reports whether a subnet of this host is one of IPv6.
func (w Wish) WantsIPv6() bool {
	return slices.ContainsFunc(w.Locals, func(l Local) bool { return l.Prefix.Addr().Is6() })
}

// Local is a subnet of this host.
type Local struct {
	Prefix netip.Prefix `json:"prefix"`
	Bridge string       `json:"bridge"` // the interface it is on
}

// Peers is what the registry last said and a wish is made of, for when the machine boots
// while the registry is away. It is kept in file peers.json of the state directory.
type Peers struct {
	Cluster  string           `json:"cluster"`
	VPC      api.VPCID        `json:"vpc"`
	Instance api.InstanceID   `json:"instance"` // this host
	Hosts    []api.InstanceID `json:"hosts"`    // all that were in the registry, sorted
	Locals   []Local          `json:"locals"`
	Remotes  []netip.Prefix   `json:"remotes"`
	Peers    []netip.Addr     `json:"peers"`
	KeepFrom []netip.Prefix   `json:"keepFrom"`
	Keep     []netip.Prefix   `json:"keep"`
}

// Way is how packets get through the drops of Docker's own nft table.
type Way string

// The ways.
const (
	WayNone     Way = ""         // there is no such table
	WayMark     Way = "mark"     // a table of ours marks them, and Docker was told to accept the mark
	WayRedirect Way = "redirect" // the uplink hands them to the bridge as if they came from there
)

// Part is a part of what is changed on a host, each of which can be left out.
type Part string

// The parts.
const (
	PartEngine      Part = "engine"      // options in daemon.json, and the restart they need
	PartRules       Part = "rules"       // sets, chains and jumps of iptables
	PartNative      Part = "native"      // what gets packets through Docker's nftables backend
	PartSource      Part = "source"      // the table that keeps source addresses
	PartRouterAdv   Part = "accept-ra"   // router advertisements taken although the host forwards
	PartForwarding  Part = "forwarding"  // ip_forward, and forwarding of the interfaces concerned
	PartReversePath Part = "rp-filter"   // strict reverse path filters loosened where they would drop
	PartDropIn      Part = "sysctl-file" // a file in sysctl.d, so that the settings outlive a reboot
)

// Parts are all of them, in the order in which they are applied: forwarding comes after the
// rules, so that nothing passes that they would stop, and after accept-ra, because routes that
// were advertised are lost otherwise; the engine, which does not start without it, after it.
// They are undone the other way round.
func Parts() []Part {
	return []Part{PartRules, PartNative, PartSource, PartRouterAdv, PartForwarding, PartEngine, PartReversePath, PartDropIn}
}
