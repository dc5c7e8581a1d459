package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// masquerading is iptables as the part that keeps sources sees it: in the variant in which
// Docker masquerades.
type masquerading struct{ *Host }

// Rules of a chain.
func (m masquerading) Rules(ctx context.Context, f host.Family, table, chain string) (rules []string, there bool, err error) {
	fw, err := m.variantOf(ctx, f)
	if err != nil {
		return nil, false, err
	}
	return fw.of(table, chain), fw.has(table, chain), nil
}

// Commit changes a table.
func (m masquerading) Commit(ctx context.Context, f host.Family, table string, lines []string, repairs ...host.Repair) (host.Step, error) {
	fw, err := m.variantOf(ctx, f)
	if err != nil {
		return host.Step{}, err
	}
	if fw.path == "" {
		return host.Step{}, fmt.Errorf("find the command %s: %w", toolOf(f), api.ErrNotFound)
	}
	return fw.commit(table, lines, repairs...), nil
}

func (m masquerading) variantOf(ctx context.Context, f host.Family) (*firewall, error) {
	d, err := m.detect(ctx)
	if err != nil {
		return nil, err
	}
	if d.native != nil {
		return nil, fmt.Errorf("docker masquerades in its own table of nftables: %w", api.ErrUnsupported)
	}
	return m.readTables(ctx, f, d.variant)
}

// PlanSet gives a set its members.
func (masquerading) PlanSet(f host.Family, name string, want []netip.Prefix, incomplete bool) ([]host.Step, error) {
	return planSet(f, name, want, incomplete)
}

// RemoveSet destroys a set.
func (masquerading) RemoveSet(f host.Family, name string) ([]host.Step, error) {
	return removeSet(setName(f, name))
}

// Members of a set.
func (masquerading) Members(f host.Family, name string) ([]netip.Prefix, error) {
	all, err := members(setName(f, name))
	if errors.Is(err, unix.ENOENT) || kernel.Lacks(err) {
		return nil, nil
	}
	return all, err
}

// removeSet destroys a set that is there. One of another type is somebody else's, whatever its
// name.
func removeSet(name string) ([]host.Step, error) {
	// Asked first, since newer kernels do not say that there was nothing to destroy.
	set, err := netlink.IpsetList(name)
	if errors.Is(err, unix.ENOENT) || kernel.Lacks(err) || err == nil && set.TypeName != setType {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list set %s: %w", name, kernel.Explain(err))
	}
	return []host.Step{host.NewStep(host.KindSet, name+" destroyed", "ipset destroy "+name, func(context.Context) error {
		return kernel.Wrap("destroy set "+name, netlink.IpsetDestroy(name))
	})}, nil
}
