package iptables

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// Undo takes our jumps and chains out of both variants and families, what only came to
// be because of them, and last the sets.
func (p *Part) Undo(ctx context.Context) ([]host.Step, error) {
	steps, err := p.undoChains(ctx, host.NFT, host.Legacy)
	if p.record.Value().has(host.IPv4) || p.record.Value().has(host.IPv6) {
		steps = append(steps, p.record.RememberStep(func(m *memory) { *m = memory{} }))
	}
	sets, failure := undoSets()
	return append(steps, sets...), errors.Join(err, failure)
}

// undoChains takes them out of these variants.
func (p *Part) undoChains(ctx context.Context, variants ...host.Variant) ([]host.Step, error) {
	if _, err := p.reader.standardVariant(ctx); err != nil {
		return nil, err
	}
	return host.CollectSteps(variants, func(v host.Variant) ([]host.Step, error) {
		return host.CollectSteps(host.Families(), func(f host.Family) ([]host.Step, error) {
			if f == host.IPv6 && !p.record.Value().has(f) {
				return nil, nil
			}
			fw, err := p.reader.currentTables(ctx, f, v)
			if err != nil {
				return nil, err
			}
			return p.undoFamily(ctx, fw)
		})
	})
}

func (p *Part) undoFamily(ctx context.Context, fw *tables) ([]host.Step, error) {
	var steps []host.Step
	dropped := false // DOCKER-USER
	for _, table := range []string{"raw", "filter"} {
		lines := fw.unhook(table)
		if table == "filter" && p.madeDockerUser(fw) {
			more := fw.dropDockerUser()
			lines, dropped = append(lines, more...), len(more) > 0
		}
		if len(lines) > 0 {
			what := host.Repair{Kind: host.KindChain, What: printPrefix(fw.family) + chainOf(table) + " and its jumps removed"}
			steps = append(steps, fw.restore(table, lines, what))
		}
	}
	if fw.variant == host.Legacy || p.record.Value().Variant != host.NFT || !p.record.Value().has(fw.family) {
		return steps, nil // legacy tables go with the kernel module only
	}
	before := p.record.Value().chains(fw.family)
	removals, err := p.removable(ctx, fw, before, dropped)
	if err == nil && len(removals) > 0 {
		steps = append(steps, host.Step{Command: "nft " + strings.Join(removals, "\nnft "), Do: func(ctx context.Context) error {
			return p.removeEmpty(ctx, fw.family, before)
		}})
	}
	return steps, err
}

// unhook are the lines that delete every jump to our chain of a table, and the chain.
func (t *tables) unhook(table string) []string {
	chain := chainOf(table)
	if !t.HasChain(table, chain) {
		return nil
	}
	var lines []string
	for _, name := range t.ChainNames() {
		of, from, _ := strings.Cut(name, "/")
		if of != table || from == chain {
			continue
		}
		for _, r := range t.ChainRules(table, from) {
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
func (t *tables) dropDockerUser() []string {
	foreign := func(r string) bool { return !strings.HasSuffix(r, " -j "+ChainFwd) }
	if slices.ContainsFunc(t.ChainRules("filter", DockerUser), foreign) {
		return nil
	}
	var lines []string
	for _, r := range t.ChainRules("filter", "FORWARD") {
		if r == "-A FORWARD -j "+DockerUser {
			lines = append(lines, "-D FORWARD -j "+DockerUser)
		}
	}
	return append(lines, "-X "+DockerUser)
}
