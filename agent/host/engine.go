package host

import "net/netip"

// Engine is what a Docker engine says of itself at one moment.
type Engine struct {
	Version   string
	Backend   string    // what it writes its rules with, BackendIPTables or BackendNFTables, or a newcomer's own name
	Firewalld bool      // it hands its rules to firewalld; before 28.2 not told
	Swarm     bool      // it is, or is about to be, part of a swarm
	Kind      string    // KindRootless, KindSnap or KindPodman; empty for the engine of a package
	Networks  []Network // those of driver bridge, by name
}

// The backends known. What an engine says of its backend does not tell whether it writes
// rules at all: with "iptables": false it still says iptables.
const (
	BackendIPTables = "iptables"
	BackendNFTables = "nftables"
)

// The kinds of engine that are served in part, or not at all.
const (
	KindRootless = "rootless Docker"
	KindSnap     = "Docker from snap"
	KindPodman   = "podman"
)

// Network is one bridge network as it was asked for. An engine that does not know an option
// keeps and ignores it: below 27 a gateway mode, for one, proves nothing.
type Network struct {
	Name, ID   string // the id of the default network is another after each start of the engine
	Bridge     string // its interface
	Default    bool   // the one that containers get which name none: docker0
	Internal   bool   // no way in or out
	ICC        bool   // its containers may speak to each other
	Masquerade bool   // by its option; where a gateway mode is routed nothing is masqueraded either
	Mode4      string // gateway mode: ModeNAT where none is given
	Mode6      string
	Labels     map[string]string
	Subnets    []netip.Prefix // IPv4 and IPv6, masked, sorted
}

// ModeNAT is the gateway mode of a network that asks for none.
const ModeNAT = "nat"
