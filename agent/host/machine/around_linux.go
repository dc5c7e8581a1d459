package machine

import (
	"context"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/dockerd"
	"github.com/sealane/sealane/agent/host/kernel"
)

// What one part of the host needs to know of another's, none of which knows the other.

// seesDocker tells the settings whether Docker's rules are there.
func (h *Host) seesDocker(ctx context.Context) (there, shielded bool, err error) {
	d, err := h.rules.Detect(ctx)
	return d.Docker, d.Shielded, err
}

// engineTable tells dockerd's part what Docker's own nft table says.
func (h *Host) engineTable() (dockerd.Table, error) {
	d, err := h.readDocker()
	if err != nil {
		return dockerd.Table{}, err
	}
	return dockerd.Table{Native: d.native, Bridges: d.bridges, Starting: d.starting()}, nil
}

// engineGuards are the steps that make what stands in for Docker's own drops.
func (h *Host) engineGuards() ([]host.Step, error) {
	d, err := h.readDocker()
	if err != nil {
		return nil, err
	}
	return h.planGuards(d)
}

// chooseMark finds a bit of packets' marks that no rule of this host uses; zero if there is
// none.
func (h *Host) chooseMark(ctx context.Context) (uint32, error) {
	used, err := h.usedMarks(ctx)
	if err != nil {
		return 0, err
	}
	return freeMark(used), nil
}

// answers reports whether the engine answered when it was last asked, or is not asked.
func (h *Host) answers() bool { return h.opts.Engine == nil || h.asking.known && h.asking.err == nil }

// hasTable reports whether nftables has a table of this name, in whatever family.
func (h *Host) hasTable(name string) (bool, error) {
	tables, err := h.tables.look(nftTables)
	return tables[name], err
}

// countChanges is the kernel's count of changes to nftables; not known without nftables.
func countChanges() (count uint32, known bool, err error) {
	count, err = generation()
	if kernel.Lacks(err) {
		return 0, false, nil
	}
	return count, err == nil, err
}
