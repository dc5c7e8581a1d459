// Package iptables keeps our rules of iptables, in the variant that Docker writes: chains of
// ours, one jump to each from the places that Docker leaves to others, and the ipsets that
// they match. Whole tables are listed by iptables-save and changed by iptables-restore, all
// at one moment; single chains and jumps by package go-iptables.
package iptables

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/netip"
	"os/exec"
	"slices"
	"strings"

	"github.com/coreos/go-iptables/iptables"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

// Part is the rules of iptables of a host. It is for one goroutine at a time.
type Part struct {
	reader    reader
	around    Around
	record    *state.Record[memory]
	asPrinted map[string][]string // how rules of ours came out, by how we write them
}

// Around is what the part is told of by the rest of the host.
type Around struct {
	Native func(context.Context) (*host.Native, error) // Docker's own nft table; nil without one
	NFT    *nft.Client
}

// New returns the part. It reads and changes nothing yet.
func New(store *state.Store, around Around) *Part {
	return &Part{
		reader: reader{
			standards: map[string]host.Variant{}, generation: around.NFT.Generation,
			counted: map[host.Family]reading{}, legacy: map[host.Family]*tables{},
		},
		around: around, record: state.NewRecord[memory](store, nil), asPrinted: map[string][]string{},
	}
}

// Expire has the next call read again what the kernel does not announce. It is called at the
// beginning of a pass, and after changes.
func (p *Part) Expire() { p.reader.expire() }

// Printed is what iptables-save prints of a family and variant; empty if that has no tables.
// ErrUnsupported: it has some, and the command is not installed.
func (p *Part) Printed(ctx context.Context, f host.Family, v host.Variant) (string, error) {
	if _, err := p.reader.standardVariant(ctx); err != nil {
		return "", err
	}
	all, err := p.reader.currentTables(ctx, f, v)
	if err != nil {
		return "", err
	}
	if all.text == "" && v == host.Legacy {
		if there, err := hasLegacyTables(f); err == nil && there {
			return "", fmt.Errorf("the kernel has such tables, and the command is not installed: %w", api.ErrUnsupported)
		}
	}
	return all.text, nil
}

// MissingCommands names the commands that are needed and not there, each with what for.
func (p *Part) MissingCommands() []string {
	var missing []string
	for _, c := range []struct{ suffix, why string }{
		{"", "to change rules"}, {"-save", "to list rules"}, {"-restore", "to change rules at one moment"},
	} {
		path, err := commandPath(host.IPv4, host.NFT)
		if err == nil {
			_, err = exec.LookPath(path + c.suffix)
		}
		if err != nil {
			missing = append(missing, "the command iptables"+c.suffix+" ("+c.why+")")
		}
	}
	return missing
}

// Plan puts sets, chains and jumps in place. IPv6 has them only where a subnet of ours
// is IPv6, or has been. Where Docker keeps its rules in nftables, iptables has a say only if
// a policy of DROP is left over in it.
func (p *Part) Plan(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if w.Uplink == "" {
		return nil, fmt.Errorf("apply rules: no uplink: %w", api.ErrInvalid)
	}
	d, err := p.Detect(ctx)
	if err != nil {
		return nil, err
	}
	var steps []host.Step
	var left []host.Step // what is to go from the other variant, once this one has all
	if p.record.Value().Variant != "" && p.record.Value().Variant != d.Variant {
		if left, err = p.undoChains(ctx, p.record.Value().Variant); err != nil {
			return nil, fmt.Errorf("leave iptables variant %s: %w", p.record.Value().Variant, err)
		}
	}
	for _, f := range host.Families() {
		if f == host.IPv6 && len(f.Of(w.LocalPrefixes())) == 0 && !p.record.Value().has(f) {
			continue
		}
		fw, err := p.reader.currentTables(ctx, f, d.Variant)
		if err != nil {
			return steps, err
		}
		if d.Native != nil && fw.Policy("filter", "FORWARD") != "DROP" && !p.record.Value().has(f) {
			continue
		}
		if fw.path == "" {
			return steps, fmt.Errorf("find the command %s: %w", toolOf(f), api.ErrNotFound)
		}
		more, err := p.planFamily(fw, w, d.Native == nil)
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
	}
	return append(steps, left...), nil
}

// planFamily is what one family needs. anchor tells that DOCKER-USER is made if absent.
func (p *Part) planFamily(fw *tables, w host.Wish, anchor bool) ([]host.Step, error) {
	steps, err := planSets(fw.family, w)
	if err != nil {
		return nil, err
	}
	if !p.record.Value().has(fw.family) || p.record.Value().Variant != fw.variant {
		steps = append(steps, p.rememberChains(fw))
	}
	if anchor {
		steps = append(steps, p.planDockerUser(fw)...)
	}
	for _, table := range []string{"raw", "filter"} {
		steps = append(steps, p.planTable(fw, table, w, anchor)...)
	}
	return steps, nil
}

// rememberChains notes what is there before ours.
func (p *Part) rememberChains(fw *tables) host.Step {
	there := []string{}
	for _, name := range fw.ChainNames() {
		table, _, _ := strings.Cut(name, "/")
		if (table == "raw" || table == "filter") && !strings.HasSuffix(name, "/"+chainOf(table)) {
			there = append(there, name)
		}
	}
	for _, table := range fw.TableNames() {
		if table == "raw" || table == "filter" {
			there = append(there, table)
		}
	}
	slices.Sort(there)
	return p.record.RememberStep(func(m *memory) { m.Variant = fw.variant; *m.former(fw.family) = there })
}

// planDockerUser makes chain DOCKER-USER when the agent is there before Docker, which then
// adopts it and calls it first. Without it Docker 28 and later would put its own jumps
// ahead of ours.
func (p *Part) planDockerUser(fw *tables) []host.Step {
	var steps []host.Step
	if !fw.HasChain("filter", DockerUser) {
		made := fw.change("make chain "+DockerUser, func(ipt *iptables.IPTables) error { return ipt.NewChain("filter", DockerUser) })
		steps = append(steps, host.NewStep(host.KindChain, DockerUser+" made ahead of Docker", fw.path+" -N "+DockerUser, made))
	} else if !p.madeDockerUser(fw) {
		return nil // it is Docker's, and so is the jump to it
	}
	if slices.Contains(fw.ChainRules("filter", "FORWARD"), "-A FORWARD -j "+DockerUser) {
		return steps
	}
	put := fw.change("put the jump to "+DockerUser, func(ipt *iptables.IPTables) error { return ipt.Insert("filter", "FORWARD", 1, "-j", DockerUser) })
	return append(steps, host.NewStep(host.KindJump, "FORWARD to "+DockerUser, fw.path+" -I FORWARD 1 -j "+DockerUser, put))
}

// madeDockerUser reports whether DOCKER-USER is there, was made by us and is not in
// Docker's use yet. A Docker that was there without it, as 20.10 is of IPv6, does not use it.
func (p *Part) madeDockerUser(fw *tables) bool {
	if !fw.HasChain("filter", DockerUser) || p.record.Value().Variant != fw.variant || !p.record.Value().has(fw.family) {
		return false
	}
	before := p.record.Value().chains(fw.family)
	unused := !fw.HasChain("filter", "DOCKER") || slices.Contains(before, "filter/DOCKER")
	return unused && !slices.Contains(before, "filter/"+DockerUser)
}

// planTable fills our chain of a table and moves the jumps to it to their places, at one
// moment. Jumps that are missing follow, to a chain that has its rules by then.
func (p *Part) planTable(fw *tables, table string, w host.Wish, anchor bool) []host.Step {
	chain := chainOf(table)
	// Where Docker has its rules in nftables it decides there what is published.
	want := passageOf(fw, w, anchor).rules(table)
	var lines []string
	var repairs []host.Repair
	refill := !fw.HasChain(table, chain) || !p.same(fw.ChainRules(table, chain), want)
	if refill {
		lines = append(append(lines, ":"+chain+" - [0:0]"), want...)
		repairs = append(repairs, host.Repair{Kind: host.KindChain, What: printPrefix(fw.family) + chain})
	}
	var missing []host.Step
	for _, j := range jumps() {
		if j.table != table || j.from == DockerUser && !anchor && !fw.HasChain("filter", DockerUser) {
			continue
		}
		what := host.Repair{Kind: host.KindJump, What: printPrefix(fw.family) + j.from + " to " + j.to}
		switch moves := j.moves(fw.ChainRules(table, j.from)); len(moves) {
		case 0:
		case 1: // it is not there
			missing = append(missing, fw.insertJump(j, what))
		default:
			lines, repairs = append(lines, moves...), append(repairs, what)
		}
	}
	if len(lines) == 0 {
		return missing
	}
	steps := []host.Step{fw.restore(table, lines, repairs...)}
	if refill {
		steps = append(steps, host.Step{Do: func(ctx context.Context) error {
			after, err := p.reader.list(ctx, fw.family, fw.variant)
			if err != nil {
				return err
			}
			if printed := after.ChainRules(table, chain); alike(printed, want) {
				p.asPrinted[strings.Join(want, "\n")] = printed
			}
			return nil
		}})
	}
	return append(steps, missing...)
}

// passageOf is what our chains are to let through. A packet that is redirected comes in by the
// bridge, also where a policy of DROP is left over in iptables.
func passageOf(fw *tables, w host.Wish, anchor bool) passage {
	through := passage{family: fw.family, uplink: w.Uplink, strict: w.Strict && anchor, docker: fw.HasChain("filter", "DOCKER")}
	for _, l := range w.Locals {
		if w.Way == host.WayRedirect && len(fw.family.Of([]netip.Prefix{l.Prefix})) > 0 {
			through.handedTo = append(through.handedTo, l.Bridge)
		}
	}
	slices.Sort(through.handedTo)
	through.handedTo = slices.Compact(through.handedTo)
	return through
}

// same reports whether a chain has the wanted rules. Releases of iptables may print a rule
// otherwise than we write it, so how ours came out when we last wrote them counts as well.
func (p *Part) same(have, want []string) bool {
	printed, ok := p.asPrinted[strings.Join(want, "\n")]
	return slices.Equal(have, want) || ok && slices.Equal(have, printed)
}

// SumLegacy is a sum over all legacy rules: any of them may drop what should pass.
func (p *Part) SumLegacy(ctx context.Context, seed maphash.Seed) (uint64, error) {
	if p.reader.standard == "" {
		return 0, fmt.Errorf("look at the rules before a pass did: %w", api.ErrUnsupported)
	}
	p.reader.expire()
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, f := range host.Families() {
		fw, err := p.reader.currentTables(ctx, f, host.Legacy)
		if err != nil {
			return 0, err
		}
		for _, name := range fw.ChainNames() {
			table, chain, _ := strings.Cut(name, "/")
			_, _ = fmt.Fprintln(&sum, name, fw.Policy(table, chain), fw.ChainRules(table, chain))
		}
	}
	return sum.Sum64(), nil
}
