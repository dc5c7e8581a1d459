package cloudtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

var _ cloud.Gates = (*Fake)(nil)

// SetSourceCheck implements cloud.Gates.
func (f *Fake) SetSourceCheck(ctx context.Context, id api.InterfaceID, on bool, permit cloud.Permit) (changed bool, err error) {
	what := fmt.Sprintf("switch the source/destination check of %s", id)
	if err := f.write(ctx, what, permit); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	owner, ok := f.owner(id)
	if !ok {
		return false, fmt.Errorf("%s: %w", what, api.ErrNotFound)
	}
	i := f.instances[owner]
	i.Others = slices.Clone(i.Others)
	if i.Interface.ID == id {
		changed, i.SourceCheck = i.SourceCheck != on, on
	}
	for n := range i.Others {
		if i.Others[n].ID == id {
			changed, i.Others[n].SourceCheck = i.Others[n].SourceCheck != on, on
		}
	}
	f.instances[owner] = i
	return changed, nil
}

// Admit implements cloud.Gates.
func (f *Fake) Admit(ctx context.Context, id api.GroupID, cluster string, pools []netip.Prefix, permit cloud.Permit) error {
	if err := cloud.ValidateAdmit(id, cluster, pools); err != nil {
		return err
	}
	what := fmt.Sprintf("admit %v to %s", pools, id)
	if err := f.write(ctx, what, permit); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.groups[id]
	if !ok {
		return fmt.Errorf("%s: %w", what, api.ErrNotFound)
	}
	var refused error
	g.Rules = slices.Clone(g.Rules)
	for _, egress := range []bool{false, true} {
		for _, pool := range pools {
			outranks := func(r Rule) bool {
				return r.Egress == egress && r.Drop && r.priority() == 1 && r.Peer.Overlaps(pool)
			}
			switch {
			case cloud.Covers(passingPeers([]Group{g}, egress), pool):
			case slices.ContainsFunc(g.Rules, outranks):
				refused = errors.Join(refused, fmt.Errorf("%s: a rule of priority 1 drops some of %s: %w", what, pool, api.ErrRefused))
			default:
				g.Rules = append(g.Rules, Rule{Egress: egress, Peer: pool, Priority: 1, Description: cloud.RuleMark(cluster)})
			}
		}
	}
	f.groups[id] = g
	return refused
}

// Revoke implements cloud.Gates.
func (f *Fake) Revoke(ctx context.Context, id api.GroupID, cluster string, permit cloud.Permit) (int, error) {
	if err := cloud.ValidateRevoke(id, cluster); err != nil {
		return 0, err
	}
	what := fmt.Sprintf("revoke rules of %s in %s", cluster, id)
	if err := f.write(ctx, what, permit); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.groups[id]
	if !ok {
		return 0, fmt.Errorf("%s: %w", what, api.ErrNotFound)
	}
	before := len(g.Rules)
	g.Rules = slices.DeleteFunc(slices.Clone(g.Rules), func(r Rule) bool { return r.Description == cloud.RuleMark(cluster) })
	f.groups[id] = g
	return before - len(g.Rules), nil
}

// write is call for what needs a permit.
func (f *Fake) write(ctx context.Context, what string, permit cloud.Permit) error {
	if err := f.call(ctx, what); err != nil {
		return err
	}
	if err := permit(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// owner is the instance that has an interface.
func (f *Fake) owner(id api.InterfaceID) (api.InstanceID, bool) {
	for _, i := range f.instances {
		if i.Interface.ID == id || slices.ContainsFunc(i.Others, func(o cloud.Interface) bool { return o.ID == id }) {
			return i.ID, true
		}
	}
	return "", false
}

// described is an interface with what its groups come to.
func (f *Fake) described(n cloud.Interface) cloud.Interface {
	n.Groups = slices.Sorted(slices.Values(n.Groups))
	n.Admits, n.Emits = slices.Clone(n.Admits), slices.Clone(n.Emits)
	var groups []Group
	for _, id := range n.Groups {
		groups = append(groups, f.group(id))
	}
	if len(groups) > 0 {
		n.Admits, n.Emits = passingPeers(groups, false), passingPeers(groups, true)
		n.MayAdmit, n.MayEmit = openings(groups, false), openings(groups, true)
	}
	return n
}

// passingPeers returns what groups let through in one direction on every protocol and port: their
// rules count together, the smaller priority first, and of equal ones those that drop.
func passingPeers(groups []Group, egress bool) []netip.Prefix {
	rules := rulesOf(groups, egress)
	var through []netip.Prefix
	for _, r := range rules {
		if r.Drop || !r.whole() {
			continue
		}
		var dropped []netip.Prefix
		for _, d := range rules {
			if d.Drop && d.priority() <= r.priority() {
				dropped = append(dropped, d.Peer)
			}
		}
		through = append(through, cloud.Minus(r.Peer, dropped)...)
	}
	slices.SortFunc(through, api.ComparePrefixes)
	return slices.Compact(through)
}

// openings are what groups may let through in one direction on ports at large.
func openings(groups []Group, egress bool) []cloud.Opening {
	rules := rulesOf(groups, egress)
	var all []cloud.Opening
	for _, r := range rules {
		if r.Drop || !cloud.AtLarge(r.Protocol, r.Ports) {
			continue
		}
		var dropped []netip.Prefix
		for _, d := range rules {
			if d.Drop && cloud.AllPorts(d.Protocol, d.Ports) && d.priority() <= r.priority() {
				dropped = append(dropped, d.Peer)
			}
		}
		if left := cloud.Minus(r.Peer, dropped); len(left) > 0 {
			all = append(all, cloud.Opening{Peers: left})
		}
	}
	return all
}

// rulesOf are the rules of groups in one direction, and what basic groups do after all rules:
// they let everything out.
func rulesOf(groups []Group, egress bool) []Rule {
	var rules []Rule
	enterprise := false
	for _, g := range groups {
		rules = append(rules, g.Rules...)
		enterprise = enterprise || g.Enterprise
	}
	if !enterprise {
		for _, all := range []string{"0.0.0.0/0", "::/0"} {
			rules = append(rules, Rule{Egress: true, Peer: netip.MustParsePrefix(all), Priority: 101})
		}
	}
	return slices.DeleteFunc(rules, func(r Rule) bool { return r.Egress != egress })
}

// whole reports whether a rule is about every protocol and port.
func (r Rule) whole() bool {
	return r.Ports == "" && (r.Protocol == "" || strings.EqualFold(r.Protocol, "ALL"))
}

func (r Rule) priority() int { return cmp.Or(r.Priority, 1) }
