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

// MissingForDocker lists what the engine docker needs and this machine lacks, a phrase each
// that tells why.
func MissingForDocker() []string {
	var absent []string
	for _, tool := range []string{"dockerd", "containerd", "runc", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			absent = append(absent, tool+" not found")
		}
	}
	if _, err := findBusybox(); err != nil {
		absent = append(absent, err.Error())
	}
	return absent
}

// isRoot reports whether this process may make namespaces.
func isRoot() bool { return os.Geteuid() == 0 }
