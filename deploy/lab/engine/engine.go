// Package engine runs the containers of a lab's hosts, with a real Docker engine each or, where
// there is none, with plain namespaces.
package engine

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// Host is what an engine needs to know of the host that it is for.
type Host struct {
	Name      string
	Namespace string       // its network namespace
	Bip       netip.Prefix // docker0's address and mask; not valid: Docker's own choice
	Container string       // namespace of its container, with plain namespaces
	Socket    string       // of Docker; empty with plain namespaces
	Run, Data string       // Docker's directories: for sockets and state, and for images and layers
	Log       string       // file for what Docker says
	Cgroup    string       // parent of the containers' control groups
	Wrap      []string     // command that runs dockerd as the host does, before dockerd's own words
	Private   bool         // that command needs a mount namespace of its own
	Config    string       // text of daemon.json; empty: no options
}

// Engine runs the containers of hosts. Each host has one container, named web.
type Engine interface {
	// StartHost gives the host docker0 with its bip, and the container on it. It returns when
	// the container's service answers or the context ends.
	StartHost(ctx context.Context, h Host) error
	// StopHost takes all that away and returns when nothing of it is left running.
	StopHost(h Host)
}

// Container is where a host's container is found.
type Container struct {
	Addr  netip.Addr
	Netns string // path of its network namespace
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

// FindContainer finds the container of a host, by asking its engine.
func FindContainer(ctx context.Context, h Host) (Container, error) {
	if h.Socket == "" {
		return plainContainer(h), nil
	}
	web, err := dialDocker(h.Socket)
	if err != nil {
		return Container{}, err
	}
	c, err := web.inspectWeb(ctx)
	if err == nil && !c.Addr.IsValid() {
		err = fmt.Errorf("it has no address: %w", api.ErrNotFound)
	}
	if err != nil {
		return c, fmt.Errorf("find the container of %s: %w", h.Name, err)
	}
	return c, nil
}

// CheckService gives nil when the container of the host answers to its own host.
func CheckService(ctx context.Context, h Host) error {
	c, err := FindContainer(ctx, h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = probe.Exchange(ctx, netns.Path(h.Namespace), c.Addr)
	return err
}
