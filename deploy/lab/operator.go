package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
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
	c, err := l.Inventory().findContainer(ctx, h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err = probe.Get(ctx, c.Netns, l.apiAddress(1), "/healthz"); err != nil {
		return fmt.Errorf("reach the management host from %s: %w", h.Name, err)
	}
	return nil
}

// Run runs a command to its end on the host, with DOCKER_HOST set to its engine. Its error
// is that of [exec.Cmd.Run].
func (v Inventory) Run(h Host, cmd *exec.Cmd) error {
	if argv := h.hostCommand(cmd.Args...); len(argv) > len(cmd.Args) {
		// The host finds the command, or does not.
		cmd.Args = argv
		cmd.Path, cmd.Err = exec.LookPath(argv[0])
	}
	cmd.Env = h.environ()
	// The child starts on the thread that is in the namespace, and stays there.
	if err := netns.Inside(netns.Path(h.Namespace), cmd.Start); err != nil {
		return err
	}
	return cmd.Wait()
}

// Exec becomes a command on the host: signals, terminal and exit code
// are then the command's own. It returns only if that fails.
func (v Inventory) Exec(h Host, argv []string) error {
	argv = h.hostCommand(argv...)
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("find the command for %s: %w", h.Name, err)
	}
	return netns.Inside(netns.Path(h.Namespace), func() error {
		if err := syscall.Exec(path, argv, h.environ()); err != nil {
			return fmt.Errorf("run %s on %s: %w", path, h.Name, err)
		}
		return nil
	})
}

func (h Host) environ() []string {
	if h.Docker == "" {
		return os.Environ()
	}
	return append(os.Environ(), "DOCKER_HOST=unix://"+h.Docker)
}
