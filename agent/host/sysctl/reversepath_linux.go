package sysctl

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// ReversePath is the part that loosens strict reverse path filters where they would drop.
type ReversePath struct{ *Settings }

// Plan loosens the uplink's filter if it is strict: replies that come in over
// another interface than requests go out by are dropped by that.
func (s ReversePath) Plan(_ context.Context, w host.Wish) ([]host.Step, error) {
	filter, err := EffectiveReversePath(w.Uplink)
	if err != nil || filter != 1 {
		return nil, err
	}
	return s.planValues([]setting{{linkSysctl(host.IPv4, w.Uplink, "rp_filter"), "2", host.KindSetting}}, nil)
}

// Undo puts back all filters that were loosened, those of bridges too.
func (s ReversePath) Undo(context.Context) ([]host.Step, error) { return s.undoValues("rp_filter") }

// LoosenBridges loosens the strict reverse path filters of bridges that packets are handed to:
// their sources are not behind them.
func (s *Settings) LoosenBridges(w host.Wish) ([]host.Step, error) {
	var strict []setting
	for _, l := range w.Locals {
		filter, err := EffectiveReversePath(l.Bridge)
		if err != nil {
			return nil, err
		}
		if filter != 1 || !l.Prefix.Addr().Is4() {
			continue
		}
		if slices.Contains(w.Leave, host.PartReversePath) {
			return nil, fmt.Errorf("redirect to %s: its reverse path filter is strict, which drops what is redirected, and is to be left as it is: %w", l.Bridge, api.ErrRefused)
		}
		strict = append(strict, setting{linkSysctl(host.IPv4, l.Bridge, "rp_filter"), "2", host.KindSetting})
	}
	return s.planValues(slices.Compact(strict), nil)
}
