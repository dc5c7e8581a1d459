package machine

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// glancePause is the time between two looks at what nobody announces: at the sets each
// time, at the rules of the legacy variant, which takes a command, every second time. Sets
// with more members than glanceMembers are left to the caller's timer.
const (
	glancePause   = 10 * time.Second
	glanceMembers = 1000
)

// glance wakes when the sets, or the rules of the legacy variant, are others than at the
// last look.
func (h *Host) glance(ctx context.Context, wake func()) {
	tick := time.NewTicker(glancePause)
	defer tick.Stop()
	seed := maphash.MakeSeed()
	var sets, rules uint64
	for look := 0; ; look++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed := false
		if now := setsSum(seed); now != sets {
			changed, sets = true, now
		}
		if look%2 == 0 {
			// An error is for a pass to tell, which looks closer.
			if now, err := h.legacySum(ctx, seed); err == nil && now != rules {
				changed, rules = true, now
			}
		}
		if changed && look > 0 {
			wake()
		}
	}
}

// setsSum is a sum over our sets.
func setsSum(seed maphash.Seed) uint64 {
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, f := range host.Families() {
		for _, name := range []string{setName(f, setLocal), setName(f, setPeers)} {
			set, err := netlink.IpsetList(name)
			if err != nil || len(set.Entries) > glanceMembers {
				continue // there is none
			}
			_, _ = fmt.Fprintln(&sum, name, len(set.Entries))
			for _, e := range set.Entries {
				_, _ = sum.Write(append(slices.Clone(e.IP), e.CIDR))
			}
		}
	}
	return sum.Sum64()
}

// legacySum is a sum over those legacy rules that matter to ours.
func (h *Host) legacySum(ctx context.Context, seed maphash.Seed) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.standard == "" {
		return 0, fmt.Errorf("look at the rules before a pass did: %w", api.ErrUnsupported)
	}
	clear(h.legacy)
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, f := range host.Families() {
		fw, err := h.readTables(ctx, f, host.Legacy)
		if err != nil {
			return 0, err
		}
		for _, name := range []string{"raw/PREROUTING", "raw/" + chainRaw, "filter/FORWARD", "filter/" + dockerUser, "filter/" + chainFwd} {
			_, _ = fmt.Fprintln(&sum, fw.policies[name], fw.chains[name])
		}
	}
	return sum.Sum64(), nil
}
