package iptables

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// lockWait is how many seconds a command waits for the lock of the legacy variant. Without
// waiting, about one call in twenty fails while dockerd is busy.
const lockWait = 5

// commands are those of this host.
type commands struct {
	standards map[string]host.Variant // what was asked, by the file that the plain command leads to
	standard  host.Variant            // what the plain command writes, as last asked
}

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

// standardVariant is what the plain command writes, and none where it is missing. It is asked
// once for each file that the command leads to, as distributions switch by a link.
func (c *commands) standardVariant(ctx context.Context) (host.Variant, error) {
	path, err := exec.LookPath("iptables")
	if err != nil {
		c.standard = ""
		return "", nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("find iptables: %w", err)
	}
	if v, ok := c.standards[path+" "+target]; ok {
		c.standard = v
		return v, nil
	}
	// For example "iptables v1.8.9 (nf_tables)"; releases before 1.8 name no variant.
	version, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run iptables --version: %w", err)
	}
	v := host.Legacy
	if strings.Contains(string(version), "nf_tables") {
		v = host.NFT
	}
	c.standards[path+" "+target], c.standard = v, v
	return v, nil
}

// handle is the library's handle, for changes of one rule.
func (t *tables) handle() (*iptables.IPTables, error) {
	proto := host.ByFamily(t.family, iptables.ProtocolIPv4, iptables.ProtocolIPv6)
	ipt, err := iptables.New(iptables.IPFamily(proto), iptables.Path(t.path), iptables.Timeout(lockWait))
	if err != nil {
		return nil, fmt.Errorf("start %s (%s): %w", toolOf(t.family), t.variant, err)
	}
	return ipt, nil
}

// insertJump is the step that puts a jump first in the chain that it leads from, unless
// somebody did by now.
func (t *tables) insertJump(j jump, what host.Repair) host.Step {
	return host.Step{
		Repairs: []host.Repair{what},
		Command: fmt.Sprintf("%s -t %s -I %s 1 %s -j %s", t.path, j.table, j.from, mine, j.to),
		Do: func(context.Context) error {
			ipt, err := t.handle()
			if err == nil {
				err = ipt.InsertUnique(j.table, j.from, 1, strings.Fields(mine+" -j "+j.to)...)
			}
			return kernel.Wrap("put the jump from "+j.from+" to "+j.to, err)
		},
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
