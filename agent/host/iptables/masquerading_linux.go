package iptables

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// Masquerading is iptables as the part that keeps sources sees it: in the variant in which
// Docker masquerades.
type Masquerading struct{ *Part }

// Rules of a chain.
func (m Masquerading) Rules(ctx context.Context, f host.Family, table, chain string) (rules []string, there bool, err error) {
	fw, err := m.variantOf(ctx, f)
	if err != nil {
		return nil, false, err
	}
	return fw.ChainRules(table, chain), fw.HasChain(table, chain), nil
}

// Commit changes a table.
func (m Masquerading) Commit(ctx context.Context, f host.Family, table string, lines []string, repairs ...host.Repair) (host.Step, error) {
	fw, err := m.variantOf(ctx, f)
	if err != nil {
		return host.Step{}, err
	}
	if fw.path == "" {
		return host.Step{}, fmt.Errorf("find the command %s: %w", toolOf(f), api.ErrNotFound)
	}
	return fw.restore(table, lines, repairs...), nil
}

func (m Masquerading) variantOf(ctx context.Context, f host.Family) (*tables, error) {
	d, err := m.Detect(ctx)
	if err != nil {
		return nil, err
	}
	if d.Native != nil {
		return nil, fmt.Errorf("docker masquerades in its own table of nftables: %w", api.ErrUnsupported)
	}
	return m.reader.currentTables(ctx, f, d.Variant)
}

// PlanSet gives a set its members.
func (Masquerading) PlanSet(f host.Family, name string, want []netip.Prefix, incomplete bool) ([]host.Step, error) {
	return planSet(f, name, want, incomplete)
}

// RemoveSet destroys a set.
func (Masquerading) RemoveSet(f host.Family, name string) ([]host.Step, error) {
	return removeSet(setName(f, name))
}

// Members of a set.
func (Masquerading) Members(f host.Family, name string) ([]netip.Prefix, error) {
	all, err := setMembers(setName(f, name))
	if errors.Is(err, unix.ENOENT) || kernel.Lacks(err) {
		return nil, nil
	}
	return all, err
}
