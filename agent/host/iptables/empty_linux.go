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
	return p.emptyChains(ctx, fw.family, before, func(table string, c nft.ListedChain) bool {
		foreign := func(r string) bool {
			return !strings.HasSuffix(r, " -j "+chainOf(table)) && !strings.HasSuffix(r, " -j "+DockerUser)
		}
		return !slices.ContainsFunc(fw.ChainRules(table, c.Name), foreign)
	}, func(table, chain string) bool { return chain == chainOf(table) || chain == DockerUser && dropped })
}

// removeEmpty deletes the base chains and tables that came with our first rule: iptables
// makes them when they are missing and never takes them away. One that has a rule, a chain
// or a policy by now is somebody's.
func (p *Part) removeEmpty(ctx context.Context, f host.Family, before []string) error {
	lines, err := p.emptyChains(ctx, f, before, func(_ string, c nft.ListedChain) bool { return c.Rules == 0 }, func(_, _ string) bool { return false })
	if err != nil || len(lines) == 0 {
		return err
	}
	if err := p.around.NFT.Run(ctx, strings.Join(lines, "\n")+"\n"); err != nil {
		return fmt.Errorf("delete empty chains of %s: %w", toolOf(f), err)
	}
	return nil
}

// emptyChains are the lines that delete chains and tables that were not there before and are
// empty; of those that are gone by then nothing is said.
func (p *Part) emptyChains(ctx context.Context, f host.Family, before []string, empty func(string, nft.ListedChain) bool, gone func(table, chain string) bool) ([]string, error) {
	var lines []string
	for _, table := range []string{"raw", "filter"} {
		chains, err := p.nftChains(ctx, f, table)
		if err != nil {
			return nil, err
		}
		left := len(chains) == 0
		for _, c := range chains {
			switch {
			case gone(table, c.Name):
			case slices.Contains(before, table+"/"+c.Name), !empty(table, c), c.Policy != "accept":
				left = true
			default:
				lines = append(lines, fmt.Sprintf("delete chain %s %s %s", f.NFT(), table, c.Name))
			}
		}
		if !left && !slices.Contains(before, table) {
			lines = append(lines, fmt.Sprintf("delete table %s %s", f.NFT(), table))
		}
	}
	return lines, nil
}

// nftChains are the chains of a table as nftables has it; none where nft is not installed.
func (p *Part) nftChains(ctx context.Context, f host.Family, table string) ([]nft.ListedChain, error) {
	if p.around.NFT.Absent() != nil {
		return nil, nil
	}
	return p.around.NFT.Chains(ctx, nft.ID{Family: f.NFT(), Name: table})
}
