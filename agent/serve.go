package agent

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Serve says which networks of a host others may reach. One that Docker keeps internal is
// never among them, however it was named.
type Serve struct {
	Bridges  []string // interfaces; docker0 stands for Docker's default network, whatever its interface
	Networks []string // Docker's names
	Label    string   // networks with this label, unless its value is false
}

const defaultBridge = "docker0"

// wants reports whether a bridge is one of those asked for.
func (s Serve) wants(b host.Bridge) bool {
	n := b.Network
	if n == nil {
		return slices.Contains(s.Bridges, b.Name)
	}
	label, labelled := n.Labels[s.Label]
	return slices.Contains(s.Bridges, b.Name) || n.Default && slices.Contains(s.Bridges, defaultBridge) ||
		slices.Contains(s.Networks, n.Name) || labelled && label != "false"
}

// bridges are those of the host that are served. While Docker does not answer, a network that
// the host was reported with goes on being served.
func (s Serve) bridges(f host.Facts, own *api.Host) []host.Bridge {
	var served []host.Bridge
	for _, b := range f.Bridges {
		internal := b.Network != nil && b.Network.Internal
		before := !f.Answers() && own != nil && slices.ContainsFunc(own.Subnets, func(s api.Subnet) bool {
			return s.Bridge == b.Name && s.Network != ""
		})
		if !internal && (s.wants(b) || before) {
			served = append(served, b)
		}
	}
	return served
}

// kept are the subnets that the host was reported with and that no bridge shows now, but may
// show again: its bridge is asked for by name, or Docker does not say that it is gone for good.
func (s Serve) kept(f host.Facts, own *api.Host) []api.Subnet {
	if own == nil || own.Left {
		return nil
	}
	served := s.bridges(f, own)
	return slices.DeleteFunc(slices.Clone(own.Subnets), func(was api.Subnet) bool {
		if b, ok := named(served, was.Bridge); ok {
			// Losing the one address is no news of the other family's.
			return slices.ContainsFunc(b.Addresses, func(a netip.Prefix) bool { return a.Addr().Is4() == was.Prefix.Addr().Is4() })
		}
		if _, there := named(f.Bridges, was.Bridge); there {
			return true // it is not served any longer
		}
		known := slices.ContainsFunc(f.Engine.Networks, func(n host.Network) bool { return n.Bridge == was.Bridge })
		return f.Answers() && !known && !slices.Contains(s.Bridges, was.Bridge)
	})
}

func named(bridges []host.Bridge, name string) (host.Bridge, bool) {
	at := slices.IndexFunc(bridges, func(b host.Bridge) bool { return b.Name == name })
	if at < 0 {
		return host.Bridge{}, false
	}
	return bridges[at], true
}

// subnetsOf are the usable subnets of bridges.
func subnetsOf(bridges []host.Bridge) []host.Local {
	var subnets []host.Local
	for _, b := range bridges {
		for _, p := range b.Prefixes() {
			if usable(p) {
				subnets = append(subnets, host.Local{Prefix: p, Bridge: b.Name})
			}
		}
	}
	return subnets
}

// usable reports whether containers can live in a subnet that is routed: it has room for
// some, is not larger than any private range, and can be routed at all.
func usable(p netip.Prefix) bool {
	const roomy = 2 // bits
	a, large := p.Addr(), 8
	if a.Is6() {
		large = 32 // the registry grants none that is larger
	}
	return p.Bits() <= a.BitLen()-roomy && p.Bits() >= large &&
		!a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
}
