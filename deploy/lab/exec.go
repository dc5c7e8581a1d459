package lab

import (
	"os"
	"os/exec"
)

// Run runs a command to its end in the host's network namespace, with DOCKER_HOST set to
// its engine. Its error is that of [exec.Cmd.Run].
func (v Inventory) Run(h Host, cmd *exec.Cmd) error {
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	if h.Docker != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST=unix://"+h.Docker)
	}
	// The child is born on the thread that is in the namespace, and stays there.
	if err := inside(netnsPath(h.Namespace), cmd.Start); err != nil {
		return err
	}
	return cmd.Wait()
}
