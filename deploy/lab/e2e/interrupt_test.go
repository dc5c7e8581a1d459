package e2e

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab"
)

// TestInterrupt ends labs with Ctrl-C at different moments: nothing is ever left, and only
// the end of a lab that was up is a success.
func TestInterrupt(t *testing.T) {
	need(t, "iptables")
	for _, c := range []struct {
		name string
		args []string
		when func(lab.Inventory) bool
		code int
	}{
		{"building", []string{"up"}, func(lab.Inventory) bool { return true }, api.ExitError},
		{"demo before agents", []string{"demo", "--check"}, func(v lab.Inventory) bool { return len(v.Hosts) == 2 }, api.ExitError},
		{"up", []string{"up"}, func(v lab.Inventory) bool { return v.Ready }, api.ExitOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			const name = "e2eint"
			same := watchMachine(t, name)
			t.Cleanup(func() { _ = lab.Down(context.Background(), name) })
			cmd := exec.CommandContext(t.Context(), program("sealane-lab"), append([]string{"--name", name}, c.args...)...)
			var problems strings.Builder
			cmd.Stdout, cmd.Stderr = t.Output(), &problems
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 2*time.Minute, "the moment has come", func() bool {
				v, err := lab.ReadInventory(name)
				return err == nil && c.when(v)
			}, func() any { return problems.String() })
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the exit code tells
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d\n%s", got, c.code, problems.String())
			}
			same()
		})
	}
}
