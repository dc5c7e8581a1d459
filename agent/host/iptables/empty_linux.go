package iptables

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// removable are the commands that delete what iptables made along with our first rule and
// what has nothing else in it. What iptables-save prints is not all there in nftables.
func removable(fw *tables, before []string, dropped bool) ([]string, error) {
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
		if table != "raw" && table != "filter" || c.Name == chainOf(table) || c.Name == DockerUser && dropped {
			continue
		}
		ours := func(r string) bool {
			return strings.HasSuffix(r, " -j "+chainOf(table)) || strings.HasSuffix(r, " -j "+DockerUser)
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

func nftFamily(f host.Family) nftables.TableFamily {
	if f == host.IPv6 {
		return nftables.TableFamilyIPv6
	}
	return nftables.TableFamilyIPv4
}
