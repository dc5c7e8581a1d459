package iptables

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// lockWait is how many seconds a command waits for the lock of the legacy variant. Without
// waiting, about one call in twenty fails while dockerd is busy.
const lockWait = 5

// toolOf is the plain command of the family.
func toolOf(f host.Family) string { return host.ByFamily(f, "iptables", "ip6tables") }

// commandPath is the path of the command that writes a variant. Distributions with one variant
// only have no suffixed commands.
func commandPath(f host.Family, v host.Variant) (string, error) {
	if path, err := exec.LookPath(toolOf(f) + "-" + string(v)); err == nil {
		return path, nil
	}
	return exec.LookPath(toolOf(f))
}

// change makes a change by the library, which is for single chains and rules.
func (t *tables) change(doing string, act func(*iptables.IPTables) error) func(context.Context) error {
	return func(context.Context) error {
		proto := host.ByFamily(t.family, iptables.ProtocolIPv4, iptables.ProtocolIPv6)
		ipt, err := iptables.New(iptables.IPFamily(proto), iptables.Path(t.path), iptables.Timeout(lockWait))
		if err != nil {
			return fmt.Errorf("start %s (%s): %w", toolOf(t.family), t.variant, err)
		}
		return kernel.Wrap(doing, act(ipt))
	}
}

// insertJump is the step that puts a jump first in the chain that it leads from, unless
// somebody did by now.
func (t *tables) insertJump(j jump, what host.Repair) host.Step {
	return host.Step{
		Repairs: []host.Repair{what},
		Command: fmt.Sprintf("%s -t %s -I %s 1 %s -j %s", t.path, j.table, j.from, mine, j.to),
		Do: t.change("put the jump from "+j.from+" to "+j.to, func(ipt *iptables.IPTables) error {
			return ipt.InsertUnique(j.table, j.from, 1, strings.Fields(mine+" -j "+j.to)...)
		}),
	}
}

// restore is the step that makes changes of a table, all or none of them, at one moment.
// The lines are those of an iptables-restore file.
func (t *tables) restore(table string, lines []string, repairs ...host.Repair) host.Step {
	input := "*" + table + "\n" + strings.Join(lines, "\n") + "\nCOMMIT\n"
	args := []string{"-w", strconv.Itoa(lockWait), "--noflush"}
	return host.Step{
		Repairs: repairs,
		Command: fmt.Sprintf("%s-restore %s <<'END'\n%sEND", t.path, strings.Join(args, " "), input),
		Do: func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, t.path+"-restore", args...)
			cmd.Stdin = strings.NewReader(input)
			// What it prints is no sign of failure: it warns of the other variant's tables.
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("write table %s: %w: %s", table, kernel.Explain(err), strings.TrimSpace(string(out)))
			}
			return nil
		},
	}
}
