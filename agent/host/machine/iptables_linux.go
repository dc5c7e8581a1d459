package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"
	"github.com/google/nftables"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// lockWait is how many seconds a command waits for the lock of the legacy variant. Without
// waiting, about one call in twenty fails while dockerd is busy.
const lockWait = 5

// tool is the plain command of the family.
func toolOf(f host.Family) string {
	if f == host.IPv6 {
		return "ip6tables"
	}
	return "iptables"
}

func nftFamily(f host.Family) nftables.TableFamily {
	if f == host.IPv6 {
		return nftables.TableFamilyIPv6
	}
	return nftables.TableFamilyIPv4
}

// addressType is what nft calls an address of the family.
func addressType(f host.Family) string {
	if f == host.IPv6 {
		return "ipv6_addr"
	}
	return "ipv4_addr"
}

// header tells where a packet of the family has its addresses, and how long they are.
func headerOf(f host.Family) (source, target, size uint32) {
	if f == host.IPv6 {
		return 8, 24, 16
	}
	return 12, 16, 4
}

// set is the name of a set of this family; those of IPv6 end with 6.
func setName(f host.Family, name string) string {
	if f == host.IPv6 {
		return name + "6"
	}
	return name
}

// command is the path of the command that writes a variant. Distributions with one variant
// only have no suffixed commands.
func (h *Host) command(f host.Family, v host.Variant) (string, error) {
	if path, err := h.lookPath(toolOf(f) + "-" + string(v)); err == nil {
		return path, nil
	}
	return h.lookPath(toolOf(f))
}

// lookPath finds a command, and finds it again without looking through all of PATH.
func (h *Host) lookPath(name string) (string, error) {
	if path := h.found[name]; path != "" {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		h.found[name] = path
	}
	return path, err
}

// firewall is what iptables-save prints of one variant and family, taken apart.
type firewall struct {
	family   host.Family
	variant  host.Variant
	path     string              // of the command that writes it
	chains   map[string][]string // rules as printed, by "raw/PREROUTING"; a chain that is there has an entry
	policies map[string]string   // of the chains that have one
	tables   []string            // that are there
	text     string              // as printed
}

// readFirewall lists all tables of a variant at once.
func (h *Host) readFirewall(ctx context.Context, f host.Family, v host.Variant) (*firewall, error) {
	path, err := h.command(f, v)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", toolOf(f), err)
	}
	fw := &firewall{family: f, variant: v, path: path, chains: map[string][]string{}, policies: map[string]string{}}
	out, err := exec.CommandContext(ctx, path+"-save").Output()
	if err != nil {
		return nil, fmt.Errorf("list the rules of %s (%s): %w", toolOf(f), v, kernel.Explain(explain(err)))
	}
	fw.text = string(out)
	table := ""
	for line := range strings.Lines(fw.text) {
		line = strings.TrimSuffix(line, "\n")
		switch words := strings.Fields(line); {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
			fw.tables = append(fw.tables, table)
		case strings.HasPrefix(line, ":") && len(words) > 1:
			name := table + "/" + words[0][1:]
			fw.chains[name] = nil
			if words[1] != "-" {
				fw.policies[name] = words[1]
			}
		case len(words) > 1 && words[0] == "-A":
			name := table + "/" + words[1]
			fw.chains[name] = append(fw.chains[name], line)
		}
	}
	return fw, nil
}

// of are the rules of a chain; none if there is no such chain, or nothing was read.
func (f *firewall) of(table, chain string) []string {
	if f == nil {
		return nil
	}
	return f.chains[table+"/"+chain]
}

func (f *firewall) has(table, chain string) bool {
	_, ok := f.chains[table+"/"+chain]
	return ok
}

// iptables is the library's handle, for changes of one rule.
func (f *firewall) iptables() (*iptables.IPTables, error) {
	proto := iptables.ProtocolIPv4
	if f.family == host.IPv6 {
		proto = iptables.ProtocolIPv6
	}
	ipt, err := iptables.New(iptables.IPFamily(proto), iptables.Path(f.path), iptables.Timeout(lockWait))
	if err != nil {
		return nil, fmt.Errorf("start %s (%s): %w", toolOf(f.family), f.variant, err)
	}
	return ipt, nil
}

// commit is the step that makes changes of a table, all or none of them, at one moment.
// The lines are those of an iptables-restore file.
func (f *firewall) commit(table string, lines []string, repairs ...host.Repair) host.Step {
	input := "*" + table + "\n" + strings.Join(lines, "\n") + "\nCOMMIT\n"
	args := []string{"-w", strconv.Itoa(lockWait), "--noflush"}
	return host.Step{
		Repairs: repairs,
		Command: fmt.Sprintf("%s-restore %s <<'END'\n%sEND", f.path, strings.Join(args, " "), input),
		Do: func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, f.path+"-restore", args...)
			cmd.Stdin = strings.NewReader(input)
			// What it prints is no sign of failure: it warns of the other variant's tables.
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("write table %s: %w: %s", table, kernel.Explain(err), strings.TrimSpace(string(out)))
			}
			return nil
		},
	}
}

// explain adds what a command said to its exit code.
func explain(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
