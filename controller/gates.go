package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// A gate is what holds container traffic back beside route tables: an interface's
// source/destination check, or a security group.

// gate is one that is closed, and how it is opened. Exactly one of check and group is set.
type gate struct {
	check api.InterfaceID
	group api.GroupID
}

func (g gate) String() string {
	if g.check != "" {
		return "the source/destination check of " + string(g.check)
	}
	return "security group " + string(g.group)
}

// closedGates are the gates of the uplinks that are closed and that the controller may open, each
// once: hosts share groups. Of several groups of an interface, whose rules count together, one gets
// the rule: the first by id.
func closedGates(all []uplink, config api.Config, pools []netip.Prefix) []gate {
	var gates []gate
	for _, u := range all {
		if u.known && u.SourceCheck && config.Manages(api.ManageSourceCheck) {
			gates = append(gates, gate{check: u.ID})
		}
		narrow := len(lacking(u.Admits, pools))+len(lacking(u.Emits, pools)) > 0
		if u.known && narrow && len(u.Groups) > 0 && config.Manages(api.ManageSecurityGroup) {
			gates = append(gates, gate{group: u.Groups[0]})
		}
	}
	seen := map[gate]bool{}
	return slices.DeleteFunc(gates, func(g gate) bool {
		again := seen[g]
		seen[g] = true
		return again
	})
}

// locked remembers closed gates, and when it was last tried to open each.
type locked map[gate]failure

type failure struct {
	at  time.Time
	err error // nil: it was opened, so far as the cloud says
}

// gateRetry is when a gate is tried again that the cloud refuses to open: that is seldom a
// matter of seconds.
const gateRetry = 10 * time.Minute

// errStillShut is for a gate that was opened and still lets nothing through, for example
// since another group of the interface drops what the first one accepts now.
var errStillShut = errors.New("it was opened, and something else still keeps packets back: look at the other rules and groups")

// gatesToOpen are the gates that this pass will try to open: those that are closed, and not
// locked. What is locked and no longer closed is forgotten.
func (t *term) gatesToOpen(d decision, v view) []gate {
	if t.gates == nil || len(d.config.Manage) == 0 || d.config.Policy == api.PolicyObserve || d.blind {
		t.locked = nil
		return nil
	}
	if !v.readWhole() {
		return nil // what is not seen is not closed, nor is it open
	}
	before := t.locked
	t.locked = locked{}
	var gates []gate
	for _, g := range closedGates(uplinksOf(d.hosts, v), d.config, d.pools) {
		last, known := before[g]
		if !known || time.Since(last.at) >= gateRetry {
			gates = append(gates, g)
			continue
		}
		last.err = cmp.Or(last.err, errStillShut)
		t.locked[g] = last
	}
	return gates
}

// openGates opens gates, as long as it is permitted. It reports whether some were opened, and
// corrects what is on record of them: m had been published with all of them in it.
func (t *term) openGates(ctx context.Context, d decision, permit cloud.Permit, m *managed) (some, more bool) {
	for i, g := range d.gates {
		err := permit()
		changed := false
		if err == nil {
			changed, err = t.openGate(ctx, g, d.pools, permit)
		}
		if !changed && !errors.Is(err, api.ErrUnknown) {
			m.removeGates(d.managedBefore, g)
		}
		switch {
		case errors.Is(err, cloud.ErrLater):
			m.removeGates(d.managedBefore, d.gates[i:]...)
			return some, true
		case stops(err), ctx.Err() != nil:
			m.removeGates(d.managedBefore, d.gates[i:]...)
			t.locked[g] = failure{time.Now(), err}
			return some, false
		case err == nil:
			some = true
			t.log.Info("gate opened", api.KeyGate, g.String())
		}
		t.locked[g] = failure{time.Now(), err}
	}
	return some, false
}

func (t *term) openGate(ctx context.Context, g gate, pools []netip.Prefix, permit cloud.Permit) (changed bool, err error) {
	if g.check != "" {
		return t.gates.SetSourceCheck(ctx, g.check, false, permit)
	}
	return true, t.gates.Admit(ctx, g.group, t.config.Cluster, pools, permit)
}

// findings says which gates could not be opened.
func (l locked) findings() []api.Finding {
	var out []api.Finding
	for g, f := range l {
		if f.err == nil {
			continue
		}
		fix := "open it by hand, or take it off --manage"
		if errors.Is(f.err, api.ErrDenied) {
			fix = "give the controller the RAM policy of deploy/policy for it, or take it off --manage"
		}
		out = append(out, api.Finding{
			Code: api.FindingManage, Severity: api.Warning, Text: fmt.Sprintf("%s is not open: %v", g, f.err), Fix: fix,
		})
	}
	slices.SortFunc(out, func(a, b api.Finding) int { return strings.Compare(a.Text, b.Text) })
	return out
}

// managed is what the controller changed beside routes, in all. It is kept in the published
// pass, ahead of the change, so that cleanup finds all of it.
type managed struct {
	checks []api.InterfaceID
	groups []api.GroupID
}

func managedIn(last *api.Pass) managed {
	if last == nil {
		return managed{}
	}
	return managed{slices.Clone(last.Opened), slices.Clone(last.Admitted)}
}

func (m managed) includes(g gate) bool {
	return g.check != "" && slices.Contains(m.checks, g.check) || g.group != "" && slices.Contains(m.groups, g.group)
}

// withGates is the record with these gates in it, sorted.
func (m managed) withGates(gates []gate) managed {
	m.checks, m.groups = slices.Clone(m.checks), slices.Clone(m.groups)
	for _, g := range gates {
		switch {
		case m.includes(g):
		case g.check != "":
			m.checks = append(m.checks, g.check)
		default:
			m.groups = append(m.groups, g.group)
		}
	}
	slices.Sort(m.checks)
	slices.Sort(m.groups)
	return m
}

// removeGates takes gates off the record that were not on it before.
func (m *managed) removeGates(before managed, gates ...gate) {
	for _, g := range gates {
		if before.includes(g) {
			continue
		}
		m.checks = slices.DeleteFunc(m.checks, func(id api.InterfaceID) bool { return id == g.check })
		m.groups = slices.DeleteFunc(m.groups, func(id api.GroupID) bool { return id == g.group })
	}
}

// withoutClosed leaves out checks that are on again, while nobody manages them: cleanup or a person
// switched them on, and they are not ours to switch any more.
func (m managed) withoutClosed(v view, config api.Config) managed {
	if config.Manages(api.ManageSourceCheck) || !v.readWhole() {
		return m
	}
	on := map[api.InterfaceID]bool{}
	for _, i := range v.instances {
		for _, n := range append([]cloud.Interface{i.Interface}, i.Others...) {
			on[n.ID] = n.SourceCheck
		}
	}
	m.checks = slices.DeleteFunc(slices.Clone(m.checks), func(id api.InterfaceID) bool { return on[id] })
	return m
}
