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
	if a.done == nil {
		a.done = make(chan struct{})
		go func(done chan struct{}) { // ends with its timeout, at the latest
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
			defer cancel()
			defer close(done)
			a.next.answer, a.next.err = h.opts.Engine.Look(ctx)
		}(a.done)
	}
	patience := engineTimeout
	if a.known {
		patience = enginePatience
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a.done:
		a.known, a.answer, a.err, a.done = true, a.next.answer, a.next.err, nil
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
