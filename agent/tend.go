package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/steady"
	"github.com/sealane/sealane/api"
)

// recheck is the time between two looks at what may be over in a moment.
const recheck = 500 * time.Millisecond

// tend makes passes over the host: at once, when the host or the registry changed, and
// sometimes anyway, since not every change is announced.
func (a *Agent) tend(ctx context.Context) {
	woken := a.host.Watch(ctx)
	timer := time.NewTimer(a.config.Poll)
	defer timer.Stop()
	var trouble lastText
	for ctx.Err() == nil {
		next, err := a.passOver(ctx)
		if err == nil {
			trouble.changed("")
		} else if ctx.Err() == nil && trouble.changed(err.Error()) {
			a.log.Error("cannot look at the host", api.KeyError, err)
		}
		waitFor(ctx, quiet) // what comes together is one pass, and the first of it is seen to at once
		timer.Reset(next)
		select {
		case <-ctx.Done():
		case <-woken:
		case <-a.tendNow:
		case <-timer.C:
		}
	}
}

// passOver brings the host to what it should be like, and has the task that follows the registry
// tell what came of it. A moment's trouble is not worth a report, nor does it withdraw what
// works: it is looked at again first. It returns when to make the next pass at the latest.
func (a *Agent) passOver(ctx context.Context) (next time.Duration, err error) {
	v, err := a.try(ctx)
	if ctx.Err() != nil {
		return 0, ctx.Err() // the outcome says more about our end than about the host
	}
	before := a.view.Load()
	wasReady := before != nil && readiness(before).Ready()
	if a.moment.Holds(time.Now(), problemOf(&v, err, wasReady)) {
		return recheck, nil
	}
	if err != nil {
		return a.config.Poll, err
	}
	a.view.Store(&v)
	wakeTask(a.keepNow)
	return a.config.Poll, nil
}

// problemOf is what a pass could not do, or that a host which was ready is not any longer;
// empty if all is well, or as it was.
func problemOf(v *view, err error, wasReady bool) string {
	if err = cmp.Or(err, v.outcome.Err()); err != nil {
		return err.Error()
	}
	if wasReady && !readiness(v).Ready() {
		return "not ready"
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
	v.wish.Leave = append(slices.Clone(wished.Leave), a.contention.Resting(time.Now(), wished)...)
	v.outcome = a.host.Apply(ctx, v.wish)
	v.contests = a.contention.Note(time.Now(), wished, v.outcome.Repairs, facts.Writer)
	applied := v.outcome.Failures[host.PartNative] == nil && !slices.Contains(v.wish.Leave, host.PartNative)
	redirected := v.wish.Way == host.WayRedirect && (applied || facts.Redirect)
	drops, err := a.check.readDrops(ctx, a.host, v.wish, redirected)
	v.drops = drops
	if err != nil {
		v.unproven = append(v.unproven, err)
	}
	v.lookAtPath(ctx, a.host, a.check.rules, a.config.Serve, hostOf(snapshot, a.config.Identity.Instance))
	v.swings = a.swing.Note(time.Now(), steady.Reading{
		Ours: oursOf(v.wish), Given: givenOf(&v), Outside: a.check.foreign + fmt.Sprint(v.path), Ready: readiness(&v).Ready(),
	})
	a.remember(snapshot, wished)
	for _, r := range v.outcome.Repairs {
		a.log.Info("host changed", api.KeyReason, string(r.Kind), api.KeyDetail, r.What)
		a.metrics.repaired(r.Kind)
	}
	return v, nil
}

// oursOf is what of a wish can turn the verdict about the host: which sources are kept, and
// which parts are left alone.
func oursOf(w host.Wish) string { return fmt.Sprint(w.KeepFrom, w.Keep, w.Leave, w.Way) }

// givenOf is what the host is like whatever we do, as far as it decides about packets.
func givenOf(v *view) string {
	f := v.facts
	native := host.Native{}
	if f.Native != nil {
		native = *f.Native
	}
	texts := []string{fmt.Sprint(f.Uplink, f.Docker, native, f.Engine, v.peers)}
	for _, b := range f.Bridges {
		texts = append(texts, fmt.Sprint(b.Name, b.Addresses))
	}
	return strings.Join(texts, "\n")
}
