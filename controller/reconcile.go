package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// makePass reads, decides, publishes and applies once. It reports whether there is more to do
// at once, and an error when it ended early. What cannot be read makes the view incomplete,
// which holds back deletes; it does not stop the pass.
func (t *term) makePass(ctx context.Context) (more bool, err error) {
	snap, err := t.readRegistry(ctx)
	if err != nil {
		return false, err
	}
	v := t.readCloud(ctx, snap)
	d := t.decideAll(snap, v)
	if err := t.publish(ctx, snap, d, nil); err != nil {
		return false, err
	}
	switch {
	case d.blind, d.config.Policy == api.PolicyObserve:
		return false, v.err
	case t.lease.Remaining() < t.config.Reserve:
		return false, fmt.Errorf("apply the plan: the lease has too little time left: %w", api.ErrDeposed)
	}
	o := t.apply(ctx, d)
	if len(o.results) == 0 && o.err == nil && len(d.gates) == 0 {
		return o.more, v.err
	}
	return o.more, t.publishOutcome(ctx, snap, v, o)
}

// decideAll decides on routes and gates.
func (t *term) decideAll(snap api.Snapshot, v view) decision {
	d := decide(t.config.Cluster, snap, v, time.Now().UTC())
	d.gates, d.managedBefore = t.gatesToOpen(d, v), d.managed
	d.managed = d.managedBefore.withGates(d.gates)
	d.findings = append(d.findings, t.locked.findings()...)
	t.metrics.decided(d.plan)
	return d
}

// outcome is what became of a decision.
type outcome struct {
	results []cloud.Result
	opened  bool    // a gate was opened
	more    bool    // something was left for the next pass, which starts at once
	managed managed // what is changed beside routes now, in all
	err     error
}

// apply makes the changes of the plan, then opens gates.
func (t *term) apply(ctx context.Context, d decision) outcome {
	o, permit := outcome{managed: d.managed}, t.permit()
	o.results, o.more, o.err = t.applyPlan(ctx, d.plan.Changes, permit)
	if o.more || stops(o.err) {
		o.managed = d.managedBefore
		o.more = o.more || len(d.gates) > 0 && o.err == nil
		return o
	}
	o.opened, o.more = t.openGates(ctx, d, permit, &o.managed)
	return o
}

// publishOutcome publishes what is there after the changes.
func (t *term) publishOutcome(ctx context.Context, snap api.Snapshot, v view, o outcome) error {
	if o.err == nil && !o.opened {
		v = v.withChanges(o.results)
		t.seen = v
	} else {
		v = t.readAll(ctx, snap)
	}
	d := decide(t.config.Cluster, snap, v, time.Now().UTC())
	d.managed = o.managed
	d.adopted = append(d.adopted, adoptedBy(o.results)...)
	d.attachErrors(o.results)
	d.findings = append(d.findings, t.locked.findings()...)
	return errors.Join(o.err, v.err, t.publish(ctx, snap, d, o.results))
}

// readRegistry reads the registry. When no operator has written a configuration yet, the one
// this controller was started with becomes the cluster's.
func (t *term) readRegistry(ctx context.Context) (api.Snapshot, error) {
	snap, err := t.registry.Snapshot(ctx)
	if err != nil {
		return api.Snapshot{}, fmt.Errorf("read the registry: %w", err)
	}
	if snap.Config != nil {
		t.compareFlags(*snap.Config)
		return snap, nil
	}
	if !snap.Complete() {
		return snap, nil
	}
	if _, err := t.registry.CreateConfig(ctx, t.config.Initial); err != nil {
		return api.Snapshot{}, fmt.Errorf("write the first configuration: %w", err)
	}
	if snap, err = t.registry.Snapshot(ctx); err != nil {
		return api.Snapshot{}, fmt.Errorf("read the registry: %w", err)
	}
	return snap, nil
}

// compareFlags says, once in a leadership, that this controller was started with other settings
// than the cluster's, which is what counts.
func (t *term) compareFlags(config api.Config) {
	if t.compared {
		return
	}
	t.compared = true
	mine := t.config.Initial
	if mine.Policy != config.Policy || !slices.Equal(mine.Pools, config.Pools) {
		t.log.Warn("the registry's configuration counts, not the flags; change it with sealane-controller configure",
			api.KeyPolicy, config.Policy, api.KeyPools, config.Pools)
	}
}

// applyPlan makes the changes in order. A change that fails does not stop the others; being
// throttled or denied and a lost lease do. News ends it between two requests, and so does time: the
// next pass plans the rest together with them, so that a host that joins does not wait for a
// thousand others, and what is done so far is published. more reports that.
func (t *term) applyPlan(ctx context.Context, changes []api.Change, permit cloud.Permit) (results []cloud.Result, more bool, err error) {
	if len(changes) == 0 {
		return nil, false, nil
	}
	done, err := t.cloud.Apply(ctx, changes, permit)
	if err != nil {
		return nil, false, fmt.Errorf("apply the plan: %w", err)
	}
	var errs []error
	for _, r := range done {
		if errors.Is(r.Err, cloud.ErrLater) {
			more = true
			continue
		}
		results = append(results, r)
		t.logResult(r)
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Change, r.Err))
		}
	}
	return results, more, summary(errs)
}

// permit is asked before each write of a pass. The first one goes if the lease allows it; news
// and time may end the pass after that.
func (t *term) permit() cloud.Permit {
	var begun time.Time
	return func() error {
		switch {
		case t.lease.Remaining() < t.config.Reserve:
			return fmt.Errorf("the lease has too little time left: %w", api.ErrDeposed)
		case begun.IsZero():
			begun = time.Now()
		case t.news() || time.Since(begun) > t.config.Progress:
			return cloud.ErrLater
		}
		return nil
	}
}

// summary keeps an error of a thousand changes readable. What stopped the others is the last.
func summary(errs []error) error {
	const shown = 5
	if n := len(errs) - shown; n > 1 {
		errs = append(errs[:shown:shown], fmt.Errorf("and %d more, the last of them %w", n, errs[len(errs)-1]))
	}
	return errors.Join(errs...)
}

func (t *term) logResult(r cloud.Result) {
	t.metrics.changeSent(r)
	if r.Err != nil {
		return // reported once, with the pass
	}
	t.log.Info("route changed", api.KeyVerb, r.Change.Verb, api.KeyDestination, r.Change.Route.Destination.String(),
		api.KeyNextHop, r.Change.Route.NextHop, api.KeyTable, r.Change.Route.Table, api.KeyReason, r.Change.Reason)
}

// passLimit bounds each list of the published pass, so that its record stays well under the
// size etcd takes whatever happens to a large cluster: 500 held changes are some 160 KB.
const passLimit = 500

// publish writes the decision, and with it what was applied, under this leader's term.
func (t *term) publish(ctx context.Context, snap api.Snapshot, d decision, results []cloud.Result) error {
	now := time.Now().UTC()
	pass := api.Pass{
		Term: t.lease.Term(), At: now, Revision: snap.Revision, Policy: d.config.Policy,
		Plan: d.plan, DeletesID: d.plan.DeletesID(), Hosts: d.lives, Blocked: d.blocked, CloudRead: d.cloudRead, Tables: d.tables,
		Opened: d.managed.checks, Admitted: d.managed.groups, Adopted: d.adopted, Findings: d.allFindings(now),
	}
	if d.cloudErr != nil {
		pass.Cloud = d.cloudErr.Error()
	}
	p := api.Publication{Routes: d.routes, Release: d.release, Pass: pass.Cut(passLimit), Applied: t.appliedNews(snap, results, now)}
	if err := t.registry.Publish(ctx, t.lease.Term(), p); err != nil {
		return fmt.Errorf("publish the pass: %w", err)
	}
	return nil
}

// appliedNews are the changes for the record: all that were made, and those that failed for
// another reason than before.
func (t *term) appliedNews(snap api.Snapshot, results []cloud.Result, now time.Time) []api.Applied {
	var out []api.Applied
	for _, r := range results {
		a := api.Applied{At: now, Term: t.lease.Term(), Change: r.Change}
		if r.Err != nil {
			a.Error = r.Err.Error()
		}
		again := r.Err != nil && slices.ContainsFunc(snap.Routes, func(s api.RouteStatus) bool {
			return s.Destination == r.Change.Route.Destination && failedBefore(s, r)
		})
		if !again {
			out = append(out, a)
		}
	}
	return out
}
