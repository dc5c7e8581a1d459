package agent

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// tend makes passes over the host: at once, when the host or the registry changed, and
// now and then, since not every change is announced.
func (a *Agent) tend(ctx context.Context) {
	changed := a.host.Watch(ctx)
	timer := time.NewTimer(a.config.Poll)
	defer timer.Stop()
	var trouble news
	for ctx.Err() == nil {
		if err := a.pass(ctx); err == nil {
			trouble.is("")
		} else if ctx.Err() == nil && trouble.is(err.Error()) {
			a.log.Error("cannot look at the host", api.KeyError, err)
		}
		pause(ctx, quiet) // what comes together is one pass, and the first of it is seen to at once
		timer.Reset(a.config.Poll)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-a.tendNow:
		case <-timer.C:
		}
	}
}

// pass brings the host to what it should be like, and has the task that follows the registry
// tell what came of it. A moment's trouble, such as Docker starting just now or the private
// address being renewed, is not worth a report.
func (a *Agent) pass(ctx context.Context) error {
	v, err := a.try(ctx)
	for range 2 {
		if problem := trouble(v, err); problem == "" || problem == a.trouble || ctx.Err() != nil {
			break // fine, or no moment's trouble
		}
		pause(ctx, time.Second)
		v, err = a.try(ctx)
	}
	a.trouble = trouble(v, err)
	if ctx.Err() != nil {
		return ctx.Err() // the outcome says more about our end than about the host
	}
	if err != nil {
		return err
	}
	a.view.Store(&v)
	nudge(a.keepNow)
	return nil
}

// trouble is what a pass could not do, in words; empty if it could do all.
func trouble(v view, err error) string {
	if err = cmp.Or(err, v.outcome.Err()); err != nil {
		return err.Error()
	}
	return ""
}

// try reads the host, works out what it should be like, and brings it there. Without a look
// at the registry, or with an incomplete one, it only mends what is in place already.
func (a *Agent) try(ctx context.Context) (view, error) {
	facts, err := a.host.Facts(ctx, a.config.Identity.IP)
	if err != nil {
		return view{}, err
	}
	snapshot := a.snapshot.Load()
	v := view{facts: facts, wish: wish(facts, a.config, snapshot), uplink: a.locate(ctx, facts), peers: peersOf(a.config, snapshot)}
	if snapshot == nil {
		v.wish, v.peers = a.memory.last.into(v.wish, facts, a.config), a.memory.last.peers(a.config)
	}
	wished := v.wish
	v.wish.Leave = append(slices.Clone(wished.Leave), a.fights.resting(time.Now(), wished)...)
	v.outcome = a.host.Apply(ctx, v.wish)
	v.fights = a.fights.note(time.Now(), wished, v.outcome.Repairs, facts.Writer)
	applied := v.outcome.Failures[host.PartNative] == nil && !slices.Contains(v.wish.Leave, host.PartNative)
	redirected := v.wish.Way == host.WayRedirect && (applied || facts.Redirect)
	v.lookAtPath(ctx, a.host, a.config.Serve, hostOf(snapshot, a.config.Identity.Instance))
	drops, err := a.check.readDrops(ctx, a.host, v.wish, redirected)
	v.drops = drops
	if err != nil {
		v.unproven = append(v.unproven, err)
	}
	a.remember(snapshot, wished)
	for _, r := range v.outcome.Repairs {
		a.log.Info("host changed", api.KeyReason, string(r.Kind), api.KeyDetail, r.What)
		a.metrics.repaired(r.Kind)
	}
	return v, nil
}
