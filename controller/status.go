package controller

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/api"
)

// StatusOf makes the document every interface shows from what is in the registry. It is
// pure, so any replica can answer, and two replicas answer alike.
func StatusOf(cluster string, snap api.Snapshot) api.Status {
	s := api.Status{
		Schema: api.SchemaStatus, Cluster: cluster, Config: configOf(snap), Pass: snap.Pass,
		Hosts: []api.HostStatus{}, Routes: snap.Routes, Conflicts: []api.Conflict{},
		Unreadable: snap.Unreadable, Findings: []api.Finding{},
		Registry: api.RegistryState{Revision: snap.Revision, Reachable: true},
	}
	if s.Routes == nil {
		s.Routes = []api.RouteStatus{}
	}
	if p := snap.Pass; p != nil {
		s.Findings = append(s.Findings, p.Findings...)
	}
	for _, h := range hostsWith(snap.Hosts, lastLives(snap.Pass)) {
		if h.At.IsZero() {
			continue // evidence without a record: nothing to show as a host
		}
		hs := hostStatus(h, snap)
		s.Conflicts = append(s.Conflicts, hs.Conflicts...)
		s.Hosts = append(s.Hosts, hs)
	}
	return s
}

// hostStatus sums one host up. The order of the cases is the order of what an operator has to
// act on first.
func hostStatus(h api.Host, snap api.Snapshot) api.HostStatus {
	hs := api.HostStatus{Host: h, State: api.HostReady, Conflicts: conflictsOf(h, snap)}
	set := func(state api.HostState, why string) api.HostStatus {
		hs.State, hs.Why = state, why
		return hs
	}
	switch {
	case h.Life == api.LifeLeft:
		return set(api.HostGoneAway, "the host was taken out of service")
	case h.Life == api.LifeGone:
		return set(api.HostGoneAway, "the cloud no longer knows the instance")
	case len(hs.Conflicts) > 0:
		c := hs.Conflicts[0]
		return set(api.HostRefused, fmt.Sprintf("%s; %s", c, c.Reason.Text()))
	case h.Life == api.LifeStopped:
		return set(api.HostDegraded, "the instance is stopped; its routes are kept")
	case h.Life == api.LifeMissing:
		return set(api.HostDegraded, "the cloud does not know the instance; its routes are kept until that is certain")
	case h.Life == api.LifeSilent:
		return set(api.HostDegraded, "its agent is not heard; its routes are kept")
	case len(h.Subnets) == 0:
		return set(api.HostPending, firstFinding(h, "no subnet reported yet"))
	case !h.Readiness.Ready():
		return set(api.HostPending, firstFinding(h, "the host is not prepared to forward yet"))
	}
	for _, subnet := range h.Subnets {
		if state, why := subnetState(h, subnet, snap); state != api.HostReady {
			return set(state, why)
		}
	}
	if why := blockedWhy(h.Instance, snap.Pass); why != "" {
		return set(api.HostDegraded, why)
	}
	for _, is := range []func(api.Finding) bool{isFailure, isUnproven} {
		if i := slices.IndexFunc(h.Findings, is); i >= 0 {
			return set(api.HostDegraded, h.Findings[i].Text)
		}
	}
	return hs
}

// blockedWhy says why the cloud keeps packets from a host whose routes are written; empty if it
// does not.
func blockedWhy(id api.InstanceID, last *api.Pass) string {
	if last == nil {
		return ""
	}
	i := slices.IndexFunc(last.Blocked, func(b api.Blocked) bool { return b.Instance == id })
	if i < 0 {
		return ""
	}
	code := last.Blocked[i].Code
	why := "the cloud keeps packets from or to its containers back"
	switch code {
	case api.FindingSourceCheck:
		why = "the source/destination check of its interface is on, and the cloud drops what is sent to its containers"
	case api.FindingSecurityGroup:
		why = "its security groups drop packets between its containers and other hosts'"
	case api.FindingVSwitch:
		why = "it is on a vSwitch that the VPC does not have"
	case api.FindingHostMissing:
		why = "the cloud does not know the interface that it reports as its uplink"
	case api.FindingGatesUnread:
		why = "it is not known whether the cloud lets traffic to its containers pass"
	default: // of another version
	}
	return fmt.Sprintf("%s (%s)", why, code)
}

// conflictsOf returns the refusals of the last pass that still name a subnet the host reports.
func conflictsOf(h api.Host, snap api.Snapshot) []api.Conflict {
	if snap.Pass == nil {
		return nil
	}
	var out []api.Conflict
	for _, c := range snap.Pass.Plan.Conflicts {
		if c.Host == h.Instance && slices.ContainsFunc(h.Subnets, func(s api.Subnet) bool { return s.Prefix == c.Destination }) {
			out = append(out, c)
		}
	}
	return out
}

func isFailure(f api.Finding) bool { return f.Severity == api.Failure }

// isUnproven reports whether a finding says that nobody can tell whether packets pass: a host is
// not called ready on that.
func isUnproven(f api.Finding) bool { return f.Code == api.FindingUnproven }

// firstFinding is the text of a host's first failure, else of its first finding.
func firstFinding(h api.Host, otherwise string) string {
	switch i := slices.IndexFunc(h.Findings, isFailure); {
	case i >= 0:
		return h.Findings[i].Text
	case len(h.Findings) > 0:
		return h.Findings[0].Text
	default:
		return otherwise
	}
}

// subnetState follows one subnet into the tables.
func subnetState(h api.Host, subnet api.Subnet, snap api.Snapshot) (api.HostState, string) {
	i := slices.IndexFunc(snap.Routes, func(r api.RouteStatus) bool { return r.Destination == subnet.Prefix && r.Host == h.Instance })
	switch {
	case i < 0 && snap.Pass == nil:
		return api.HostPending, "no controller has made a pass yet"
	case i < 0 && snap.Pass.Cloud != "":
		return api.HostPending, fmt.Sprintf("%s waits until the cloud can be read", subnet.Prefix)
	case i < 0:
		return api.HostPending, fmt.Sprintf("%s is waiting for the controller's next pass", subnet.Prefix)
	}
	route := snap.Routes[i]
	if route.Stage != api.StageWanted {
		return api.HostReady, ""
	}
	for _, table := range slices.Sorted(maps.Keys(route.Tables)) {
		if in := route.Tables[table]; in.Stage == api.StageWanted && permanent(in.Reason) {
			return api.HostRefused, fmt.Sprintf("%s is not written in %s: %s (%s); %s", route.Destination, table, in.Reason, in.Detail, in.Reason.Text())
		}
	}
	if snap.Pass != nil && snap.Pass.Policy == api.PolicyObserve {
		return api.HostRefused, fmt.Sprintf("%s is not written: the policy is %s", route.Destination, api.PolicyObserve)
	}
	why := fmt.Sprintf("%s is not in every route table yet", route.Destination)
	if route.Reason != "" {
		why += ": " + route.Reason.Text()
	}
	return api.HostPending, why
}

// permanent reports whether a held change waits for a person rather than for time.
func permanent(r api.Reason) bool {
	return r == api.ReasonForeignRoute || r == api.ReasonQuota || r == api.ReasonPolicy
}

// Board keeps the latest status at hand for those who ask, on every replica, leading or not.
// When the registry does not answer it goes on showing what it last saw, and says so.
type Board struct {
	cluster  string
	replica  api.Replica
	registry Registry
	refresh  time.Duration
	log      *slog.Logger
	latest   atomic.Pointer[api.Status]
}

// NewBoard builds a board; call Run once. refresh is the longest age of what it shows.
// The replica leads when the last pass was published under its name.
func NewBoard(cluster string, replica api.Replica, reg Registry, refresh time.Duration, log *slog.Logger) *Board {
	return &Board{
		cluster: cluster, replica: replica, registry: reg, refresh: refresh, log: log,
	}
}

// Run reads the registry whenever it changes, until ctx ends; then it returns nil.
func (b *Board) Run(ctx context.Context) error {
	wake := newTrigger(b.registry.Watch(ctx, api.AreaHosts, api.AreaRoutes, api.AreaConfig, api.AreaPass), 50*time.Millisecond)
	var delay time.Duration
	for wake.await(ctx, delay) {
		delay = b.refresh
		if err := b.refreshStatus(ctx); err != nil && ctx.Err() == nil {
			delay = min(delay, time.Second)
		}
	}
	return nil
}

func (b *Board) refreshStatus(ctx context.Context) error {
	snap, err := b.registry.Snapshot(ctx)
	if err != nil {
		if before := b.latest.Load(); before != nil {
			if before.Registry.Reachable {
				b.log.Warn("the registry does not answer; showing what was read last", api.KeyError, err)
			}
			stale := *before
			stale.Registry.Reachable, stale.Registry.Problem = false, err.Error()
			b.latest.Store(&stale)
		}
		return err
	}
	s := StatusOf(b.cluster, snap)
	s.Registry.ReadAt = time.Now().UTC()
	s.Replica = b.replica
	s.Replica.Leads = snap.Pass != nil && snap.Pass.Term.Leader == b.replica.Name
	b.latest.Store(&s)
	return nil
}

// Status returns the latest status. It fails with api.ErrUnreachable until the registry has
// answered once. The document is shared: callers do not change it.
func (b *Board) Status() (api.Status, error) {
	s := b.latest.Load()
	if s == nil {
		return api.Status{}, fmt.Errorf("status: the registry has not answered since this controller started: %w", api.ErrUnreachable)
	}
	return *s, nil
}
