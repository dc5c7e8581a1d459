package lab

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
)

// engine runs the containers of hosts. Each host has one container, named web.
type engine interface {
	// start gives the host docker0 with its bip, and the container on it. It returns when
	// the container's service answers or the context ends.
	start(ctx context.Context, h Host) error
	// stop takes all that away and returns when nothing of it is left running.
	stop(h Host)
}

// container is where a host's container is found.
type container struct {
	addr  netip.Addr
	netns string // path of its network namespace
}

// tools that dockerd cannot do without.
func dockerTools() []string { return []string{"dockerd", "containerd", "runc", "iptables"} }

// missing lists those of the tools that are not installed.
func missing(tools ...string) []string {
	var absent []string
	for _, t := range tools {
		if _, err := exec.LookPath(t); err != nil {
			absent = append(absent, t)
		}
	}
	return absent
}

// isRoot reports whether this process may make namespaces.
func isRoot() bool { return os.Geteuid() == 0 }
