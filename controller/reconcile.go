package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/controller/leader"
)

// pass looks, decides, publishes and applies once. It reports whether there is more to do at
// once, and an error when it ended early. What cannot be read makes the view incomplete,
// which holds back deletes; it does not stop the pass.
func (c *Controller) pass(ctx context.Context, lease leader.Lease) (more bool, err error) {
	snap, err := c.snapshot(ctx)
	if err != nil {
		return false, err
	}
	view := c.look(ctx, snap)
	d := decide(c.config.Cluster, snap, view, time.Now().UTC())
	gates, before := c.intended(d, view), d.managed
	d.managed = before.with(gates)
	d.findings = append(d.findings, c.locked.problems()...)
	c.metrics.decided(d.plan)

	if err := c.publish(ctx, lease, snap, d, nil); err != nil {
		return false, err
	}
	switch {
	case d.blind, d.config.Policy == api.PolicyObserve:
		return false, view.err
	case lease.Remaining() < c.config.Reserve:
		return false, fmt.Errorf("apply the plan: the lease has too little time left: %w", api.ErrDeposed)
	}
	permit := c.permit(lease)
	results, later, applyErr := c.apply(ctx, d.plan.Changes, permit)
	record, opened := d.managed, false
	if later || stops(applyErr) {
		record = before
		later = later || len(gates) > 0 && applyErr == nil
	} else {
		opened, later = c.open(ctx, gates, d.config, permit, &record, before)
	}
	if len(results) == 0 && applyErr == nil && len(gates) == 0 {
		return later, view.err
	}
	if applyErr == nil && !opened {
		view = view.with(results)
		c.seen = view
	} else {
		view = c.fullLook(ctx, snap)
	}
	if after := decide(c.config.Cluster, snap, view, time.Now().UTC()); !after.blind {
		d = after
	}
	d.managed = record
	d.adopted = append(d.adopted, adoptedBy(results)...)
	d.explain(results)
	d.findings = append(d.findings, c.locked.problems()...)
	return later, errors.Join(applyErr, view.err, c.publish(ctx, lease, snap, d, results))
}

// snapshot reads the registry. When no operator has written a configuration yet, the one
// this controller was started with becomes the cluster's.
func (c *Controller) snapshot(ctx context.Context) (api.Snapshot, error) {
	snap, err := c.registry.Snapshot(ctx)
	if err != nil {
		return api.Snapshot{}, fmt.Errorf("read the registry: %w", err)
	}
	if snap.Config != nil {
		c.compare(*snap.Config)
		return snap, nil
	}
	if !snap.Complete() {
		return snap, nil
	}
	if _, err := c.registry.CreateConfig(ctx, c.config.Initial); err != nil {
		return api.Snapshot{}, fmt.Errorf("write the first configuration: %w", err)
	}
	if snap, err = c.registry.Snapshot(ctx); err != nil {
		return api.Snapshot{}, fmt.Errorf("read the registry: %w", err)
	}
	return snap, nil
}

// compare says, once in a leadership, that this controller was started with other settings
// than the cluster's, which is what counts.
func (c *Controller) compare(config api.Config) {
	if c.compared {
		return
	}
	c.compared = true
	mine := c.config.Initial
	if mine.Policy != config.Policy || !slices.Equal(mine.Pools, config.Pools) {
		c.log.Warn("the registry's configuration counts, not the flags; change it with sealane-controller configure",
			api.KeyPolicy, config.Policy, api.KeyPools, config.Pools)
	}
}

// apply makes the changes in order. A change that fails does not stop the others; being
// throttled or denied and a lost lease do. News ends it between two requests, and so does time: the
// next pass plans the rest together with them, so that a host that joins does not wait for a
// thousand others, and what is done so far is published. more reports that.
func (c *Controller) apply(ctx context.Context, changes []api.Change, permit cloud.Permit) (results []cloud.Result, more bool, err error) {
	if len(changes) == 0 {
		return nil, false, nil
	}
	done, err := c.cloud.Apply(ctx, changes, permit)
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
		c.record(r)
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Change, r.Err))
		}
	}
	return results, more, summary(errs)
}

// permit is asked before each write of a pass. The first one goes if the lease allows it; news
// and time may end the pass after that.
func (c *Controller) permit(lease leader.Lease) cloud.Permit {
	var begun time.Time
	return func() error {
		switch {
		case lease.Remaining() < c.config.Reserve:
			return fmt.Errorf("the lease has too little time left: %w", api.ErrDeposed)
		case begun.IsZero():
			begun = time.Now()
		case c.news() || time.Since(begun) > c.config.Progress:
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

// stops reports whether an error of one change says that the others would fail as well.
func stops(err error) bool {
	return errors.Is(err, api.ErrThrottled) || errors.Is(err, api.ErrDenied) || errors.Is(err, api.ErrDeposed)
}

func (c *Controller) record(r cloud.Result) {
	c.metrics.change(r)
	if r.Err != nil {
		return // reported once, with the pass
	}
	c.log.Info("route changed", api.KeyVerb, r.Change.Verb, api.KeyDestination, r.Change.Route.Destination.String(),
		api.KeyNextHop, r.Change.Route.NextHop, api.KeyTable, r.Change.Route.Table, api.KeyReason, r.Change.Reason)
}

// passLimit bounds each list of the published pass, so that its record stays well under the
// size etcd takes whatever happens to a large cluster: 500 held changes are some 160 KB.
const passLimit = 500

// publish writes the decision, and with it what was applied, under this leader's term.
func (c *Controller) publish(ctx context.Context, lease leader.Lease, snap api.Snapshot, d decision, results []cloud.Result) error {
	pass := api.Pass{
		Term: lease.Term(), At: time.Now().UTC(), Revision: snap.Revision, Cloud: d.cloudProblem, Policy: d.config.Policy,
		Plan: d.plan, DeletesID: d.plan.DeletesID(), Hosts: d.lives, Tables: d.tables, Opened: d.managed.checks, Admitted: d.managed.groups, Adopted: d.adopted, Findings: d.findings,
	}
	p := api.Publication{Routes: d.routes, Release: d.release, Pass: pass.Cut(passLimit)}
	for _, r := range results {
		a := api.Applied{At: p.Pass.At, Term: p.Pass.Term, Change: r.Change}
		if r.Err != nil {
			a.Error = r.Err.Error()
		}
		p.Applied = append(p.Applied, a)
	}
	if err := c.registry.Publish(ctx, lease.Term(), p); err != nil {
		return fmt.Errorf("publish the pass: %w", err)
	}
	return nil
}
