package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// undoRules takes our jumps and chains out of both variants and families, what only came to
// be because of them, and last the sets.
func (h *Host) undoRules(ctx context.Context) ([]Step, error) {
	var steps []Step
	var failures []error
	for _, v := range []Variant{NFT, Legacy} {
		for _, f := range families() {
			if f.v6 && !h.mem.has(f) {
				continue
			}
			fw, err := h.readTables(ctx, f, v)
			if err != nil {
				failures = append(failures, err)
				continue
			}
			steps = append(steps, h.undoFamily(fw)...)
		}
	}
	if h.mem.has(family{}) || h.mem.has(family{v6: true}) {
		steps = append(steps, Step{do: func(context.Context) error {
			return h.remember(func(m *memory) { m.Variant, m.Chains, m.Chains6 = "", nil, nil })
		}})
	}
	sets, err := undoSets()
	return append(steps, sets...), errors.Join(append(failures, err)...)
}

func (h *Host) undoFamily(fw *firewall) []Step {
	var steps []Step
	for _, table := range []string{"raw", "filter"} {
		lines := fw.unhook(table)
		if table == "filter" && h.madeDockerUser(fw) {
			lines = append(lines, fw.dropDockerUser()...)
		}
		if len(lines) > 0 {
			what := Repair{Kind: KindChain, What: fw.family.prefix() + chainOf(table) + " and its jumps removed"}
			steps = append(steps, fw.commit(table, lines, what))
		}
	}
	if fw.variant == Legacy || h.mem.Variant != NFT || !h.mem.has(fw.family) {
		return steps // legacy tables go with the kernel module only
	}
	if removals := removable(fw, h.mem.chains(fw.family)); len(removals) > 0 {
		before := h.mem.chains(fw.family)
		steps = append(steps, Step{Command: strings.Join(removals, "\n"), do: func(context.Context) error {
			return removeEmpty(fw.family, before)
		}})
	}
	return steps
}

// unhook are the lines that delete every jump to our chain of a table, and the chain.
func (f *firewall) unhook(table string) []string {
	chain := chainOf(table)
	if !f.has(table, chain) {
		return nil
	}
	var lines []string
	for name, rules := range f.chains {
		t, from, _ := strings.Cut(name, "/")
		if t != table || from == chain {
			continue
		}
		for _, r := range rules {
			if strings.HasSuffix(r, " -j "+chain) {
				lines = append(lines, "-D"+strings.TrimPrefix(r, "-A"))
			}
		}
	}
	slices.Sort(lines)
	return append(lines, "-F "+chain, "-X "+chain)
}

// dropDockerUser are the lines that take away the DOCKER-USER we made, provided that
// nobody put a rule of theirs into it.
func (f *firewall) dropDockerUser() []string {
	foreign := func(r string) bool { return !strings.HasSuffix(r, " -j "+chainFwd) }
	if slices.ContainsFunc(f.chains["filter/"+dockerUser], foreign) {
		return nil
	}
	var lines []string
	for _, r := range f.chains["filter/FORWARD"] {
		if r == "-A FORWARD -j "+dockerUser {
			lines = append(lines, "-D FORWARD -j "+dockerUser)
		}
	}
	return append(lines, "-X "+dockerUser)
}

// removable are the commands that would delete what iptables made along with our first
// rule, if it is empty by then.
func removable(fw *firewall, before []string) []string {
	var commands []string
	for name := range fw.chains {
		table, chain, _ := strings.Cut(name, "/")
		_, base := fw.policies[name]
		if base && (table == "raw" || table == "filter") && !slices.Contains(before, name) {
			commands = append(commands, fmt.Sprintf("nft delete chain %s %s %s # if it is empty", fw.family.nftName(), table, chain))
		}
	}
	slices.Sort(commands)
	for _, table := range []string{"raw", "filter"} {
		if !slices.Contains(before, table) && fw.has(table, chainOf(table)) {
			commands = append(commands, fmt.Sprintf("nft delete table %s %s # if it is empty", fw.family.nftName(), table))
		}
	}
	return commands
}

func (f family) nftName() string {
	if f.v6 {
		return "ip6"
	}
	return "ip"
}

// removeEmpty deletes the base chains and tables that came with our first rule: iptables
// makes them when they are missing and never takes them away. One that has a rule, a chain
// or a policy by now is somebody's.
func removeEmpty(f family, before []string) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	chains, err := conn.ListChainsOfTableFamily(f.nft())
	if err != nil {
		return fmt.Errorf("list nftables chains: %w", hint(err))
	}
	left := map[string]int{}
	for _, c := range chains {
		table := c.Table.Name
		if table != "raw" && table != "filter" {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return fmt.Errorf("list chain %s of table %s: %w", c.Name, table, hint(err))
		}
		open := c.Policy != nil && *c.Policy == nftables.ChainPolicyAccept
		if len(rules) == 0 && open && !slices.Contains(before, table+"/"+c.Name) {
			conn.DelChain(c)
			continue
		}
		left[table]++
	}
	tables, err := conn.ListTablesOfFamily(f.nft())
	for _, t := range tables {
		if (t.Name == "raw" || t.Name == "filter") && left[t.Name] == 0 && !slices.Contains(before, t.Name) {
			conn.DelTable(t)
		}
	}
	return errors.Join(err, hint(conn.Flush()))
}
