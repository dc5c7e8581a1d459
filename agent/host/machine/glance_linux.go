package machine

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/sealane/sealane/agent/host/iptables"
)

// glancePause is the time between two looks at what nobody announces: at the sets each
// time, at the rules of the legacy variant, which takes a command, every second time.
const glancePause = 10 * time.Second

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
		if now := iptables.SumSets(seed); now != sets {
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

// legacySum is a sum over those legacy rules that matter to ours.
func (h *Host) legacySum(ctx context.Context, seed maphash.Seed) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules.SumLegacy(ctx, seed)
}
