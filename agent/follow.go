package agent

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
)

// following is what the task that follows the registry knows.
type following struct {
	reachable bool
	reported  bool           // the registry has our report, from this run or before
	conflicts []api.Conflict // as the registry last refused our subnets
	findings  []api.Finding  // as last logged
	loss      lastText
	failure   lastText
	departure lastText
	gone      lastText
	seen      map[api.InstanceID]time.Time // when a host's record was last there
}

// followRegistry follows the registry and keeps the host's report in it up to date.
func (a *Agent) followRegistry(ctx context.Context) {
	changed := a.registry.Watch(ctx, api.AreaHosts, api.AreaRoutes, api.AreaConfig)
	k := following{seen: map[api.InstanceID]time.Time{}}
	for _, id := range a.before {
		k.seen[id] = time.Now()
	}
	timer := time.NewTimer(0) // the first look is at once
	defer timer.Stop()
	for {
		look := true
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-changed:
			// A thousand agents are woken by the same change; not all should ask at once.
			waitFor(ctx, 100*time.Millisecond+rand.N(200*time.Millisecond))
		case <-a.keepNow:
			// News is not written without a look at what others may have written meanwhile.
			_, look = a.buildReport(&k)
		}
		if ctx.Err() != nil {
			return
		}
		if look {
			timer.Reset(a.readRegistry(ctx, &k))
		}
		a.writeReport(ctx, &k)
	}
}

// readRegistry reads the registry and returns when to look again at the latest. While it is out of
// reach the last snapshot stays in force.
func (a *Agent) readRegistry(ctx context.Context, k *following) time.Duration {
	snapshot, err := a.registry.Snapshot(ctx)
	if ctx.Err() != nil {
		return 0
	}
	k.reachable = err == nil
	a.metrics.reachable(k.reachable)
	switch {
	case err != nil && k.loss.changed("lost"):
		a.log.Warn("registry out of reach; the host is kept as it is", api.KeyError, err)
	case err == nil && k.loss.changed("") && a.snapshot.Load() != nil:
		a.log.Info("registry back in reach")
	}
	if err != nil {
		return min(a.config.Poll, retry)
	}
	if n := k.vanished(&snapshot, time.Now()); n > 0 && k.gone.changed("gone") {
		a.log.Warn("hosts are gone from the registry; what they had is kept for a while", api.KeyCount, n)
	} else if n == 0 {
		k.gone.changed("")
	}
	was := a.snapshot.Swap(&snapshot)
	if was == nil || was.Revision != snapshot.Revision || was.Complete() != snapshot.Complete() {
		wakeTask(a.tendNow)
	}
	return a.config.Poll
}

// patience is how long a record that is there no more is waited for. Records of hosts are not
// removed, whatever becomes of the host: one that is missing tells of a registry that was
// emptied or put back from a backup, and agents need a while to report again.
const patience = 10 * time.Minute

// vanished makes the view incomplete while records are missing that were there before, so
// that nothing is taken away on their account. It returns how many.
func (k *following) vanished(s *api.Snapshot, now time.Time) (missing int) {
	there := make(map[api.InstanceID]bool, len(s.Hosts))
	for _, h := range s.Hosts {
		k.seen[h.Instance], there[h.Instance] = now, true
	}
	for id, at := range k.seen {
		switch {
		case there[id]:
		case now.Sub(at) > patience:
			delete(k.seen, id)
		default:
			missing++
			s.Unreadable = append(s.Unreadable, api.Unreadable{Key: "hosts/" + string(id), Problem: "it was there and is there no more"})
		}
	}
	return missing
}

// writeReport writes the report if it says something new. What the registry refuses is a finding,
// which is news once more.
func (a *Agent) writeReport(ctx context.Context, k *following) {
	for range 2 {
		report, fresh := a.buildReport(k)
		if report == nil {
			return
		}
		a.logFindings(k, report.Findings)
		if !k.reachable || a.departed(k) {
			return
		}
		if !fresh {
			a.noteReported(k)
			return
		}
		report.At = time.Now().UTC()
		conflicts, err := a.registry.Report(ctx, *report)
		if err != nil {
			if ctx.Err() == nil && k.failure.changed(err.Error()) {
				a.log.Warn("cannot report the host", api.KeyError, err)
			}
			return
		}
		k.failure.changed("")
		a.noteReported(k)
		if slices.Equal(conflicts, k.conflicts) {
			return
		}
		k.conflicts = conflicts
	}
}

// buildReport makes the report, nil before the first pass over the host, and tells whether the
// registry, as last seen, lacks something of it.
func (a *Agent) buildReport(k *following) (report *api.Report, fresh bool) {
	v := a.view.Load()
	if v == nil {
		return nil, false
	}
	own := hostOf(a.snapshot.Load(), a.config.Identity.Instance)
	r := describe(a.config, v, a.snapshot.Load(), diagnose(v, a.config, own, k.conflicts))
	return &r, isNews(r, own)
}

// noteReported notes that the registry has the report of this run.
func (a *Agent) noteReported(k *following) {
	if !k.reported {
		k.reported = true
		close(a.ready)
	}
}

// departed reports whether somebody took the host out of service since this agent brought
// it in. That word is not overwritten; a restart of the agent brings the host back.
func (a *Agent) departed(k *following) bool {
	own := hostOf(a.snapshot.Load(), a.config.Identity.Instance)
	gone := k.reported && own != nil && own.Left
	if gone && k.departure.changed("left") {
		a.log.Warn("the host was taken out of service; restart the agent to bring it back")
	}
	return gone
}

// logFindings logs findings when they begin and when they end.
func (a *Agent) logFindings(k *following, findings []api.Finding) {
	for _, f := range findings {
		if !slices.Contains(k.findings, f) {
			a.log.Warn("finding", api.KeyFinding, string(f.Code), api.KeyDetail, f.Text)
		}
	}
	for _, f := range k.findings {
		if !slices.ContainsFunc(findings, func(now api.Finding) bool { return now.Code == f.Code }) {
			a.log.Info("finding gone", api.KeyFinding, string(f.Code))
		}
	}
	k.findings = findings
	a.metrics.found(findings)
}
