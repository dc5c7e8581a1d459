package iptables

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/nft"
)

// removable are the commands that delete what iptables made along with our first rule and
// what has nothing else in it. What iptables-save prints is not all there in nftables. A host
// without the command nft keeps those chains, which do nothing.
func (p *Part) removable(ctx context.Context, fw *tables, before []string, dropped bool) ([]string, error) {
	var commands []string
	for _, table := range []string{"raw", "filter"} {
		chains, err := p.nftChains(ctx, fw.family, table)
		if err != nil {
			return nil, err
		}
		ours := func(r string) bool {
			return strings.HasSuffix(r, " -j "+chainOf(table)) || strings.HasSuffix(r, " -j "+DockerUser)
		}
		left := len(chains) == 0
		for _, c := range chains {
			name := table + "/" + c.Name
			if c.Name == chainOf(table) || c.Name == DockerUser && dropped {
				continue
			}
			empty := !slices.ContainsFunc(fw.ChainRules(table, c.Name), func(r string) bool { return !ours(r) })
			if slices.Contains(before, name) || !empty || c.Policy != "accept" {
				left = true
				continue
			}
			commands = append(commands, fmt.Sprintf("nft delete chain %s %s %s", fw.family.NFT(), table, c.Name))
		}
		if !slices.Contains(before, table) && !left && fw.HasChain(table, chainOf(table)) {
			commands = append(commands, fmt.Sprintf("nft delete table %s %s", fw.family.NFT(), table))
		}
	}
	return commands, nil
}

// removeEmpty deletes the base chains and tables that came with our first rule: iptables
// makes them when they are missing and never takes them away. One that has a rule, a chain
// or a policy by now is somebody's.
func (p *Part) removeEmpty(ctx context.Context, f host.Family, before []string) error {
	var text strings.Builder
	for _, table := range []string{"raw", "filter"} {
		chains, err := p.nftChains(ctx, f, table)
		if err != nil {
			return err
		}
		left := len(chains) == 0
		for _, c := range chains {
			if c.Rules > 0 || c.Policy != "accept" || slices.Contains(before, table+"/"+c.Name) {
				left = true
				continue
			}
			fmt.Fprintf(&text, "delete chain %s %s %s\n", f.NFT(), table, c.Name)
		}
		if !left && !slices.Contains(before, table) {
			fmt.Fprintf(&text, "delete table %s %s\n", f.NFT(), table)
		}
	}
	if text.Len() == 0 {
		return nil
	}
	if err := p.around.NFT.Run(ctx, text.String()); err != nil {
		return fmt.Errorf("delete empty chains of %s: %w", toolOf(f), err)
	}
	return nil
}

// nftChains are the chains of a table as nftables has it; none where nft is not installed.
func (p *Part) nftChains(ctx context.Context, f host.Family, table string) ([]nft.ListedChain, error) {
	if p.around.NFT.Absent() != nil {
		return nil, nil
	}
	return p.around.NFT.Chains(ctx, nft.ID{Family: f.NFT(), Name: table})
}
