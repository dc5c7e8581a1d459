package source

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// The chain of the other way, and the sets that it matches; those of IPv6 end with 6.
const (
	chainKeep = "SEALANE-SRC"
	setFrom   = "sealane-keepfrom" // of our subnets, those whose source is kept
	setTo     = "sealane-keep"     // toward these
	comment   = "-m comment --comment sealane"
)

// Chains are the rules of iptables, in the variant that Docker uses here.
type Chains interface {
	// Rules are those of a chain as iptables-save prints them. ErrUnsupported: Docker does
	// not masquerade in iptables.
	Rules(ctx context.Context, f host.Family, table, chain string) (rules []string, there bool, err error)
	// Commit is the step that makes changes of a table, all or none of them: the lines of an
	// iptables-restore file.
	Commit(ctx context.Context, f host.Family, table string, lines []string, repairs ...host.Repair) (host.Step, error)
}

// Sets are the kernel's sets of addresses; the name of one is that of its IPv4 form.
type Sets interface {
	// PlanSet gives a set these members, and makes it if need be; incomplete takes none away.
	PlanSet(f host.Family, name string, want []netip.Prefix, incomplete bool) ([]host.Step, error)
	// RemoveSet destroys a set that is there.
	RemoveSet(f host.Family, name string) ([]host.Step, error)
	// Members of a set; none if it is not there.
	Members(f host.Family, name string) ([]netip.Prefix, error)
}

// keepAccept is the rule of our chain.
func keepAccept(f host.Family) string {
	return fmt.Sprintf("-A %[1]s -m set --match-set %[2]s%[4]s src -m set --match-set %[3]s%[4]s dst %[5]s -j ACCEPT",
		chainKeep, setFrom, setTo, host.ByFamily(f, "", "6"), comment)
}

// jumpsTo tells a rule of POSTROUTING that calls our chain.
func jumpsTo(rule string) bool { return strings.HasSuffix(rule, " -j "+chainKeep) }

// chained is what there is of the chain in a family.
type chained struct {
	there, intact bool
	post          []string // rules of POSTROUTING
}

func (p *Part) readChain(ctx context.Context, f host.Family) (c chained, err error) {
	rules, there, err := p.chains.Rules(ctx, f, "nat", chainKeep)
	if err == nil {
		c.post, _, err = p.chains.Rules(ctx, f, "nat", "POSTROUTING")
	}
	if err != nil {
		return c, fmt.Errorf("keep sources by iptables: %w", err)
	}
	plain := func(r string) string { return strings.ReplaceAll(r, `"`, "") }
	c.there = there
	c.intact = len(rules) == 1 && plain(rules[0]) == keepAccept(f)
	return c, nil
}

// first reports whether our chain is called first, and once.
func (c chained) first() bool {
	return len(c.post) > 0 && jumpsTo(c.post[0]) && !slices.ContainsFunc(c.post[1:], jumpsTo)
}

// unhook are the lines that take every call of our chain away.
func (c chained) unhook() []string {
	var lines []string
	for _, r := range c.post {
		if jumpsTo(r) {
			lines = append(lines, "-D"+strings.TrimPrefix(r, "-A"))
		}
	}
	return lines
}

// planChain keeps sources by our chain. Docker puts its masquerade first when it starts and
// with each network; our call is then put ahead of it again.
func (p *Part) planChain(ctx context.Context, f host.Family, w host.Wish) ([]host.Step, error) {
	from, to := f.Of(w.KeepFrom), f.Of(w.Keep)
	if len(from) == 0 || len(to) == 0 {
		if w.Incomplete {
			return nil, nil
		}
		return p.undoChain(ctx, f)
	}
	have, err := p.readChain(ctx, f)
	if err != nil {
		return nil, err
	}
	steps, err := p.sets.PlanSet(f, setFrom, from, w.Incomplete)
	if err != nil {
		return nil, err
	}
	more, err := p.sets.PlanSet(f, setTo, to, w.Incomplete)
	if err != nil {
		return nil, err
	}
	steps = append(steps, more...)
	var lines []string
	if !have.there || !have.intact {
		lines = append(lines, ":"+chainKeep+" - [0:0]", keepAccept(f))
	}
	if !have.first() {
		lines = append(append(lines, have.unhook()...), "-I POSTROUTING 1 "+comment+" -j "+chainKeep)
	}
	if len(lines) == 0 {
		return steps, nil
	}
	what := host.Repair{Kind: host.KindSource, What: fmt.Sprintf("kept from %v to %v", from, to)}
	step, err := p.chains.Commit(ctx, f, "nat", lines, what)
	if err != nil {
		return nil, err
	}
	return append(steps, step), nil
}

func (p *Part) undoChains(ctx context.Context) ([]host.Step, error) {
	return host.CollectSteps(host.Families(), func(f host.Family) ([]host.Step, error) { return p.undoChain(ctx, f) })
}

// undoChain takes our chain, what calls it and its sets away. Where the sets are not there,
// nor is the chain, and iptables is not asked.
func (p *Part) undoChain(ctx context.Context, f host.Family) ([]host.Step, error) {
	removals, err := host.CollectSteps([]string{setFrom, setTo}, func(name string) ([]host.Step, error) { return p.sets.RemoveSet(f, name) })
	if err != nil || len(removals) == 0 {
		return nil, err
	}
	have, err := p.readChain(ctx, f)
	if err != nil {
		return nil, err
	}
	if !have.there {
		return removals, nil
	}
	lines := append(have.unhook(), "-F "+chainKeep, "-X "+chainKeep)
	step, err := p.chains.Commit(ctx, f, "nat", lines, host.Repair{Kind: host.KindSource, What: "no source address kept"})
	if err != nil {
		return nil, err
	}
	return append([]host.Step{step}, removals...), nil
}

// keptByChain tells what our chain keeps, if it is called first.
func (p *Part) keptByChain(ctx context.Context, f host.Family) ([]netip.Prefix, error) {
	members, err := p.sets.Members(f, setTo)
	if err != nil || len(members) == 0 {
		return nil, err
	}
	have, err := p.readChain(ctx, f)
	if err != nil || !have.intact || !have.first() {
		return nil, err
	}
	return members, nil
}
