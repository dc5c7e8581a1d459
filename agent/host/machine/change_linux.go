package machine

import (
	"context"
	"errors"
	"slices"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/sysctl"
)

// part is how a part of a host is brought to a wish, and how it is undone. Both only look and
// say what is to be done; a part that fails in the middle says what it can do nevertheless.
type part struct {
	name host.Part
	plan func(context.Context, host.Wish) ([]host.Step, error)
	undo func(context.Context) ([]host.Step, error)
}

// parts are in the order of host.Parts. The engine comes after forwarding, without which it
// does not start, and after what its options need: when all is undone, it is restarted
// without them before forwarding is turned off and the guard goes.
func (h *Host) parts() []part {
	advertised, forwarding := sysctl.RouterAdv{Settings: h.settings}, sysctl.Forwarding{Settings: h.settings}
	reversePath, dropIn := sysctl.ReversePath{Settings: h.settings}, sysctl.DropIn{Settings: h.settings}
	return []part{
		{host.PartRules, h.rules.Plan, h.rules.Undo},
		{host.PartNative, h.planNative, h.undoNative},
		{host.PartSource, h.source.Plan, h.source.Undo},
		{host.PartRouterAdv, advertised.Plan, advertised.Undo},
		{host.PartForwarding, forwarding.Plan, forwarding.Undo},
		{host.PartEngine, h.engine.Plan, h.engine.Undo},
		{host.PartReversePath, reversePath.Plan, reversePath.Undo},
		{host.PartDropIn, dropIn.Plan, dropIn.Undo},
	}
}

// begin recalls what was remembered and forgets what was planned and not done.
func (h *Host) begin() error {
	h.settings.Begin()
	h.engine.Begin()
	return h.store.Recall()
}

// Apply brings the host to the wish and says what it had to change for it. It is
// idempotent: the second of two equal calls changes nothing.
func (h *Host) Apply(ctx context.Context, w host.Wish) host.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules.Expire()
	h.applying.Store(true)
	defer h.applying.Store(false)
	out := host.Outcome{Failures: map[host.Part]error{}}
	h.serve(w)
	err := h.begin()
	for _, p := range h.parts() {
		if slices.Contains(w.Leave, p.name) {
			continue
		}
		if err != nil {
			out.Failures[p.name] = err
			continue
		}
		steps, failure := p.plan(ctx, w)
		repairs, stopped := run(ctx, steps)
		if len(steps) > 0 {
			h.rules.Expire()
		}
		for i := range repairs {
			repairs[i].Part = p.name
		}
		out.Repairs = append(out.Repairs, repairs...)
		if failure = errors.Join(failure, stopped); failure != nil {
			out.Failures[p.name] = failure
		}
	}
	return out
}

// Plan says what Apply would do, and does nothing.
func (h *Host) Plan(ctx context.Context, w host.Wish) ([]host.Step, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules.Expire()
	if err := h.begin(); err != nil {
		return nil, err
	}
	wanted := slices.DeleteFunc(h.parts(), func(p part) bool { return slices.Contains(w.Leave, p.name) })
	return host.CollectSteps(wanted, func(p part) ([]host.Step, error) { return p.plan(ctx, w) })
}

// Restore undoes everything that Apply ever did here, back to the values remembered in the
// state directory, and says what that was. It needs nothing else, so it works after a crash
// and when only half was in place; undone twice is undone once.
func (h *Host) Restore(ctx context.Context) ([]host.Repair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules.Expire()
	if err := h.begin(); err != nil {
		return nil, err
	}
	var undone []host.Repair
	var failures []error
	for _, p := range slices.Backward(h.parts()) {
		steps, err := p.undo(ctx)
		repairs, stopped := run(ctx, steps)
		if len(steps) > 0 {
			h.rules.Expire()
		}
		undone, failures = append(undone, repairs...), append(failures, err, stopped)
	}
	if err := errors.Join(failures...); err != nil {
		return undone, err
	}
	return undone, h.store.Forget()
}

// PlanRestore says what Restore would do, and does nothing.
func (h *Host) PlanRestore(ctx context.Context) ([]host.Step, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules.Expire()
	if err := h.begin(); err != nil {
		return nil, err
	}
	parts := h.parts()
	slices.Reverse(parts)
	return host.CollectSteps(parts, func(p part) ([]host.Step, error) { return p.undo(ctx) })
}

// run makes changes until one fails, and says what was changed.
func run(ctx context.Context, steps []host.Step) ([]host.Repair, error) {
	var done []host.Repair
	for _, s := range steps {
		if err := s.Do(ctx); err != nil {
			return done, err
		}
		done = append(done, s.Repairs...)
	}
	return done, nil
}
