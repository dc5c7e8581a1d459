package lab

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/sealane/sealane/deploy/lab/netns"
)

// Run runs a command to its end on the host, with DOCKER_HOST set to its engine. Its error
// is that of [exec.Cmd.Run].
func (v Inventory) Run(h Host, cmd *exec.Cmd) error {
	if argv := h.hostCommand(cmd.Args...); len(argv) > len(cmd.Args) {
		// The host finds the command, or does not.
		cmd.Args = argv
		cmd.Path, cmd.Err = exec.LookPath(argv[0])
	}
	cmd.Env = h.environ()
	// The child is born on the thread that is in the namespace, and stays there.
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
