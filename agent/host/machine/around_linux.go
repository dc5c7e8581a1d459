package machine

import (
	"context"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/dockerd"
	"github.com/sealane/sealane/agent/host/iptables"
	"github.com/sealane/sealane/agent/host/sysctl"
)

// What one part of the host needs to know of another's, none of which knows the other.

// seesDocker tells the settings of Docker's rules.
func (h *Host) seesDocker(ctx context.Context) (sysctl.Docker, error) {
	d, err := h.rules.Detect(ctx)
	if err != nil {
		return sysctl.Docker{}, err
	}
	f := host.Facts{Engine: h.asking.answer, Asked: h.asking.err}
	d.Tell(&f)
	return sysctl.Docker{There: d.Docker, Shielded: d.Shielded, Exposed: f.Exposed()}, nil
}

// engineTable tells dockerd's part what Docker's own nft table says.
func (h *Host) engineTable(ctx context.Context) (dockerd.Table, error) {
	d, err := h.readDocked(ctx)
	if err != nil {
		return dockerd.Table{}, err
	}
	native, err := h.readNative(ctx)
	return dockerd.Table{Native: native, Bridges: len(d.Told) - len(d.Internal), Starting: d.Starting()}, err
}

// markGuards are the steps that make what stands in for Docker's own drops.
func (h *Host) markGuards(ctx context.Context) ([]host.Step, error) { return h.marks.Guards(ctx) }

// engineSeen is what the part that marks is told of Docker.
type engineSeen struct {
	*dockerd.Part
	rules *iptables.Part
}

// InIPTables reports whether Docker's rules are in iptables.
func (e engineSeen) InIPTables(ctx context.Context) (bool, error) {
	d, err := e.rules.Detect(ctx)
	return d.Docker && d.Native == nil, err
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
