package machine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// undoRules takes our jumps and chains out of both variants and families, what only came to
// be because of them, and last the sets.
func (h *Host) undoRules(ctx context.Context) ([]host.Step, error) {
	steps, err := h.undoChains(ctx, host.NFT, host.Legacy)
	failures := []error{err}
	if h.chains.Value().has(host.IPv4) || h.chains.Value().has(host.IPv6) {
		steps = append(steps, host.Step{Do: func(context.Context) error {
			return h.chains.Remember(func(m *chainMemory) { m.Variant, m.Chains, m.Chains6 = "", nil, nil })
		}})
	}
	sets, err := undoSets()
	return append(steps, sets...), errors.Join(append(failures, err)...)
}

// undoChains takes them out of these variants.
func (h *Host) undoChains(ctx context.Context, variants ...host.Variant) ([]host.Step, error) {
	if _, err := h.standardVariant(ctx); err != nil {
		return nil, err
	}
	var steps []host.Step
	var failures []error
	for _, v := range variants {
		for _, f := range host.Families() {
			if f == host.IPv6 && !h.chains.Value().has(f) {
				continue
			}
			fw, err := h.readTables(ctx, f, v)
			if err != nil {
				failures = append(failures, err)
				continue
			}
			more, err := h.undoFamily(fw)
			steps, failures = append(steps, more...), append(failures, err)
		}
	}
	return steps, errors.Join(failures...)
}

func (h *Host) undoFamily(fw *firewall) ([]host.Step, error) {
	var steps []host.Step
	dropped := false // DOCKER-USER
	for _, table := range []string{"raw", "filter"} {
		lines := fw.unhook(table)
		if table == "filter" && h.madeDockerUser(fw) {
			more := fw.dropDockerUser()
			lines, dropped = append(lines, more...), len(more) > 0
		}
		if len(lines) > 0 {
			what := host.Repair{Kind: host.KindChain, What: printPrefix(fw.family) + chainOf(table) + " and its jumps removed"}
			steps = append(steps, fw.commit(table, lines, what))
		}
	}
	if fw.variant == host.Legacy || h.chains.Value().Variant != host.NFT || !h.chains.Value().has(fw.family) {
		return steps, nil // legacy tables go with the kernel module only
	}
	before := h.chains.Value().chains(fw.family)
	removals, err := removable(fw, before, dropped)
	if err == nil && len(removals) > 0 {
		steps = append(steps, host.Step{Command: strings.Join(removals, "\n"), Do: func(context.Context) error {
			return removeEmpty(fw.family, before)
		}})
	}
	return steps, err
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

// removable are the commands that delete what iptables made along with our first rule and
// what has nothing else in it. What iptables-save prints is not all there in nftables.
func removable(fw *firewall, before []string, dropped bool) ([]string, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	chains, err := conn.ListChainsOfTableFamily(nftFamily(fw.family))
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", kernel.Explain(err))
	}
	var commands []string
	left := map[string]bool{}
	for _, c := range chains {
		table, name := c.Table.Name, c.Table.Name+"/"+c.Name
		if table != "raw" && table != "filter" || c.Name == chainOf(table) || c.Name == dockerUser && dropped {
			continue
		}
		ours := func(r string) bool {
			return strings.HasSuffix(r, " -j "+chainOf(table)) || strings.HasSuffix(r, " -j "+dockerUser)
		}
		open := c.Policy != nil && *c.Policy == nftables.ChainPolicyAccept
		empty := !slices.ContainsFunc(fw.chains[name], func(r string) bool { return !ours(r) })
		if slices.Contains(before, name) || !empty || !open {
			left[table] = true
			continue
		}
		commands = append(commands, fmt.Sprintf("nft delete chain %s %s %s", fw.family.NFT(), table, c.Name))
	}
	slices.Sort(commands)
	for _, table := range []string{"raw", "filter"} {
		if !slices.Contains(before, table) && !left[table] && fw.has(table, chainOf(table)) {
			commands = append(commands, fmt.Sprintf("nft delete table %s %s", fw.family.NFT(), table))
		}
	}
	return commands, nil
}

// removeEmpty deletes the base chains and tables that came with our first rule: iptables
// makes them when they are missing and never takes them away. One that has a rule, a chain
// or a policy by now is somebody's.
func removeEmpty(f host.Family, before []string) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	chains, err := conn.ListChainsOfTableFamily(nftFamily(f))
	if err != nil {
		return fmt.Errorf("list nftables chains: %w", kernel.Explain(err))
	}
	left := map[string]int{}
	for _, c := range chains {
		table := c.Table.Name
		if table != "raw" && table != "filter" {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return fmt.Errorf("list chain %s of table %s: %w", c.Name, table, kernel.Explain(err))
		}
		open := c.Policy != nil && *c.Policy == nftables.ChainPolicyAccept
		if len(rules) == 0 && open && !slices.Contains(before, table+"/"+c.Name) {
			conn.DelChain(c)
			continue
		}
		left[table]++
	}
	tables, err := conn.ListTablesOfFamily(nftFamily(f))
	for _, t := range tables {
		if (t.Name == "raw" || t.Name == "filter") && left[t.Name] == 0 && !slices.Contains(before, t.Name) {
			conn.DelTable(t)
		}
	}
	return errors.Join(err, kernel.Explain(conn.Flush()))
}
