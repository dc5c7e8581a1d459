package host

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"
)

// lockWait is how many seconds a command waits for the lock of the legacy variant. Without
// waiting, about one call in twenty fails while dockerd is busy.
const lockWait = 5

// firewall reads and writes the iptables rules of one variant.
type firewall struct {
	variant Variant
	ipt     *iptables.IPTables
	chains  map[string]bool // see chainsOf
}

func openFirewall(v Variant) (*firewall, error) {
	ipt, err := openIPTables(v)
	if err != nil {
		return nil, err
	}
	chains, err := chainsOf(v)
	if err != nil {
		return nil, err
	}
	return &firewall{variant: v, ipt: ipt, chains: chains}, nil
}

func openIPTables(v Variant) (*iptables.IPTables, error) {
	path, err := command(v)
	if err != nil {
		return nil, fmt.Errorf("find iptables: %w", err)
	}
	ipt, err := iptables.New(iptables.Path(path), iptables.Timeout(lockWait))
	if err != nil {
		return nil, fmt.Errorf("start iptables (%s): %w", v, err)
	}
	return ipt, nil
}

// list returns the rules of a chain as iptables prints them, in order; none if there is no
// such chain.
func (f *firewall) list(table, chain string) ([]string, error) {
	if !f.chains[table+"/"+chain] {
		return nil, nil
	}
	lines, err := f.ipt.List(table, chain)
	if err != nil {
		return nil, fmt.Errorf("list chain %s of table %s: %w", chain, table, hint(err))
	}
	return slices.DeleteFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "-A ") }), nil
}

// commit makes all changes of a table, or none of them, at one moment. The lines are those
// of an iptables-restore file.
func (f *firewall) commit(ctx context.Context, table string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	path, err := command(f.variant)
	if err != nil {
		return fmt.Errorf("find iptables: %w", err)
	}
	cmd := exec.CommandContext(ctx, path+"-restore", "-w", strconv.Itoa(lockWait), "--noflush")
	cmd.Stdin = strings.NewReader("*" + table + "\n" + strings.Join(lines, "\n") + "\nCOMMIT\n")
	// What it prints is no sign of failure: it warns of the other variant's tables.
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("write table %s: %w: %s", table, hint(err), strings.TrimSpace(string(out)))
	}
	return nil
}
