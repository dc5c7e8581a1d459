package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

// Configure changes the cluster's configuration as an operator does on the management host;
// flags are those of sealane-controller configure.
func (l *Lab) Configure(ctx context.Context, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	argv := append([]string{"configure", "--cluster", l.opts.Name, "--etcd-endpoints", l.etcdURL()}, flags...)
	cmd := exec.CommandContext(ctx, l.Program("sealane-controller"), argv...)
	var said strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = supervisor.Environ(), &said, &said
	err := netns.Inside(netns.Path(l.mgrNamespace()), cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("configure %s: %w: %s", strings.Join(flags, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// CheckSources switches the source/destination check of a host's interface, as somebody does
// in the cloud's console.
func (l *Lab) CheckSources(h Host, on bool) error {
	return l.sim.SetSourceDestCheck(string(h.Instance), on)
}

// Manager is the address of the management host, which is in no security group.
func (l *Lab) Manager() netip.Addr { return l.layout.mgr() }

// ReachManager asks the management host from the container of a host. The container's packets
// leave the host masqueraded by Docker, as all that go out of the pools. Plain namespaces
// have nobody to masquerade: that is ErrUnsupported.
func (l *Lab) ReachManager(ctx context.Context, h Host) error {
	if h.Docker == "" {
		return fmt.Errorf("reach the management host from a plain namespace: %w", api.ErrUnsupported)
	}
	c, err := findContainer(ctx, l.opts.Name, h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err = probe.Get(ctx, c.netns, l.apiAddress(1), "/healthz"); err != nil {
		return fmt.Errorf("reach the management host from %s: %w", h.Name, err)
	}
	return nil
}
