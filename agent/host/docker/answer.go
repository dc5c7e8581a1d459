package docker

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// infoAnswer is what is read of GET /info.
type infoAnswer struct {
	ServerVersion   string
	FirewallBackend struct{ Driver string } // older than 28.1 do not tell
	Swarm           struct{ LocalNodeState string }
	SecurityOptions []string
	DockerRootDir   string
	BuildahVersion  string // podman's, which answers on Docker's socket too
}

// kind tells the engines that are no Docker of a package.
func (a infoAnswer) kind() string {
	switch {
	case a.BuildahVersion != "":
		return host.KindPodman
	case slices.ContainsFunc(a.SecurityOptions, func(o string) bool { return o == "name=rootless" || strings.HasPrefix(o, "name=rootless,") }):
		return host.KindRootless
	case strings.HasPrefix(a.DockerRootDir, "/var/snap/"):
		return host.KindSnap
	default:
		return ""
	}
}

func (a infoAnswer) engine() host.Engine {
	// The driver reads "iptables", "nftables" or "iptables+firewalld".
	backend, with, _ := strings.Cut(a.FirewallBackend.Driver, "+")
	if backend == "" {
		backend = host.BackendIPTables
	}
	return host.Engine{
		Version: a.ServerVersion, Kind: a.kind(), Backend: backend, Firewalld: with == "firewalld",
		Swarm: a.Swarm.LocalNodeState != "" && a.Swarm.LocalNodeState != "inactive",
	}
}

// networkAnswer is what is read of each network of GET /networks.
type networkAnswer struct {
	Name, ID, Driver string
	Internal         bool
	IPAM             struct{ Config []struct{ Subnet string } }
	Options, Labels  map[string]string
}

const optionPrefix = "com.docker.network.bridge."

func (a networkAnswer) network() (host.Network, error) {
	n := host.Network{
		Name: a.Name, ID: a.ID, Bridge: a.Options[optionPrefix+"name"], Internal: a.Internal, Labels: a.Labels,
		Default:    a.Name == "bridge" || a.flag("default_bridge", false), // the name is reserved
		ICC:        a.flag("enable_icc", true),
		Masquerade: a.flag("enable_ip_masquerade", true),
		Mode4:      a.mode("gateway_mode_ipv4"), Mode6: a.mode("gateway_mode_ipv6"),
	}
	switch {
	case n.Bridge != "":
	case n.Default:
		n.Bridge = "docker0"
	default:
		n.Bridge = "br-" + n.ID[:min(12, len(n.ID))]
	}
	for _, c := range a.IPAM.Config {
		subnet, err := netip.ParsePrefix(c.Subnet)
		if err != nil {
			return host.Network{}, err
		}
		n.Subnets = append(n.Subnets, subnet.Masked())
	}
	slices.SortFunc(n.Subnets, api.ComparePrefixes)
	return n, nil
}

// flag is an option that is true or false. The engine refuses what is neither.
func (a networkAnswer) flag(name string, otherwise bool) bool {
	if on, err := strconv.ParseBool(a.Options[optionPrefix+name]); err == nil {
		return on
	}
	return otherwise
}

func (a networkAnswer) mode(option string) string {
	if mode := a.Options[optionPrefix+option]; mode != "" {
		return mode
	}
	return host.ModeNAT
}
