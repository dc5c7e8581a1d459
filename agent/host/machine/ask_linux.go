package machine

import (
	"context"
	"slices"
	"time"

	"github.com/sealane/sealane/agent/host"
)

// An engine that starts, or hangs, accepts connections and does not answer. That must not
// hold up a pass, since just then others change rules: after a short while the last answer
// stands in, until the engine was silent for long.
const (
	engineTimeout  = 5 * time.Second
	enginePatience = 200 * time.Millisecond
)

// askEngine has the engine tell which network is on which bridge.
func (h *Host) askEngine(ctx context.Context, f *host.Facts) {
	if h.opts.Engine == nil {
		return
	}
	a := &h.asking
	if a.next == nil {
		a.next = make(chan asked, 1)
		go func(next chan<- asked) { // ends with its timeout, at the latest
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
			defer cancel()
			answer, err := h.opts.Engine.Look(ctx)
			next <- asked{answer, err}
		}(a.next)
	}
	patience := engineTimeout
	if a.known {
		patience = enginePatience
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case got := <-a.next:
		a.known, a.asked, a.next = true, got, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	f.Engine, f.Asked = a.answer, a.err
	if !a.known {
		f.Asked = context.DeadlineExceeded
	}
	for i, b := range f.Bridges {
		at := slices.IndexFunc(f.Engine.Networks, func(n host.Network) bool { return n.Bridge == b.Name })
		if at >= 0 && f.Asked == nil {
			f.Bridges[i].Network = &f.Engine.Networks[at]
		}
	}
}
