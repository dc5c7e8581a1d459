package host

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
)

// glancePause is the time between two looks at what nobody announces.
const glancePause = 10 * time.Second

// glance wakes when the sets, or the rules of the legacy variant, are others than at the
// last look.
func (h *Host) glance(ctx context.Context, wake func()) {
	tick := time.NewTicker(glancePause)
	defer tick.Stop()
	seed := maphash.MakeSeed()
	last, known := uint64(0), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := h.unannounced(ctx, seed)
		if err != nil {
			continue // a pass looks closer, and tells
		}
		if known && now != last {
			wake()
		}
		last, known = now, true
	}
}

// unannounced is a sum over our sets and the legacy rules.
func (h *Host) unannounced(ctx context.Context, seed maphash.Seed) (uint64, error) {
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, f := range families() {
		for _, name := range []string{f.set(setLocal), f.set(setPeers)} {
			set, err := netlink.IpsetList(name)
			if err != nil {
				continue // there is none
			}
			_, _ = fmt.Fprintln(&sum, name, len(set.Entries))
			for _, e := range set.Entries {
				_, _ = sum.Write(append(slices.Clone(e.IP), e.CIDR))
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.standard == "" {
		return 0, fmt.Errorf("look at the rules: not read yet")
	}
	for _, f := range families() {
		fw, err := h.readTables(ctx, f, Legacy)
		if err != nil {
			return 0, err
		}
		for _, name := range []string{"raw/PREROUTING", "raw/" + chainRaw, "filter/FORWARD", "filter/" + dockerUser, "filter/" + chainFwd} {
			_, _ = fmt.Fprintln(&sum, fw.policies[name], fw.chains[name])
		}
	}
	return sum.Sum64(), nil
}
