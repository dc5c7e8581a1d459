package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/steady"
)

// describeDrop is a drop in words.
func describeDrop(d drop, peers []peer) string {
	what := "packets"
	if d.limits != "" {
		what = "packets of " + d.limits
	}
	fate := "dropped"
	if d.moved {
		fate = "sent to another address"
	}
	text := fmt.Sprintf("%s from %s to %s (%s) are %s by %s", what, namePrefixes(d.from, peers), namePrefixes(d.to, peers), d.bridge, fate, d.rule)
	if len(d.unsure) > 0 {
		text += fmt.Sprintf(", unless %s accepts them", d.unsure[0])
	}
	return text
}

// certain reports whether a drop is beyond doubt, and leaves little that passes.
func (d drop) certain() bool { return d.grave && len(d.unsure) == 0 }

// anyCertain reports whether one of a view's drops speaks against the host as a whole.
func anyCertain(v *view) bool {
	return slices.ContainsFunc(v.drops, func(d drop) bool { return d.certain() && !closedByICC(v.facts, d) })
}

// ruleCheck asks the rules of a host only when they or the wish are others than before.
type ruleCheck struct {
	dump       firewall.Dump
	wish       host.Wish
	redirected bool
	rules      *firewall.Ruleset
	foreign    string // what the rules of others are told by
	found      []drop
	unproven   error
}

// readDrops are the rules of the host that drop packets which should pass. The error says why
// that cannot be told, or not of all.
func (c *ruleCheck) readDrops(ctx context.Context, traffic Traffic, w host.Wish, redirected bool) ([]drop, error) {
	dump, err := traffic.Rules(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the host's rules: %w", err)
	}
	if reflect.DeepEqual(dump, c.dump) && reflect.DeepEqual(w, c.wish) && redirected == c.redirected {
		return c.found, c.unproven
	}
	rules, err := firewall.Parse(dump)
	if err != nil {
		return nil, fmt.Errorf("read the host's rules: %w", err)
	}
	found, doubts := findDrops(rules, w, redirected)
	*c = ruleCheck{dump, w, redirected, rules, steady.Foreign(dump), found, gapsOf(append(rules.Unproven(), doubts...))}
	return c.found, c.unproven
}

// gapsOf is why what the rules say may not be all; nil if it is.
func gapsOf(reasons []string) error {
	if len(reasons) == 0 {
		return nil
	}
	return errors.New(joinFew(reasons)) // each says of what kind it is
}

// few is how many of a kind are named in a report, which is bounded.
const few = 5

// joinFew names the first few of many.
func joinFew(texts []string) string {
	if len(texts) > few {
		return strings.Join(texts[:few], "; ") + "; and more"
	}
	return strings.Join(texts, "; ")
}

// findDrops asks a host's rules what they would do to packets between our subnets, each peer
// and port. Each rule that drops is named once for a bridge, with the gravest that it does, the
// grave ones first. doubts tell of rules that may drop, and are not understood.
func findDrops(rules *firewall.Ruleset, w host.Wish, redirected bool) (found []drop, doubts []string) {
	for _, l := range w.Locals {
		for _, f := range flowsOf(l, w, redirected) {
			for _, o := range rules.Outcomes(f) {
				if o.Dropped || o.Redirected {
					found = addDrop(found, dropOf(o, f, l.Bridge))
				}
				for _, r := range o.MayDrop {
					doubt := r.String() + " is not understood, and may drop them"
					if !slices.Contains(doubts, doubt) {
						doubts = append(doubts, doubt)
					}
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b drop) int { return gravity(b) - gravity(a) })
	return found, doubts
}

// gravity orders drops.
func gravity(d drop) int {
	if d.certain() {
		return 1
	}
	return 0
}

func addDrop(all []drop, d drop) []drop {
	at := slices.IndexFunc(all, func(o drop) bool { return o.bridge == d.bridge && o.rule == d.rule })
	switch {
	case at < 0:
		return append(all, d)
	case d.certain() && !all[at].certain():
		all[at] = d
	}
	return all
}

func dropOf(o firewall.Outcome, f firewall.Flow, bridge string) drop {
	whole := func(part, all []netip.Prefix) bool {
		return slices.ContainsFunc(part, func(p netip.Prefix) bool { return slices.Contains(all, p) })
	}
	return drop{
		from: o.From, to: o.To, bridge: bridge, limits: o.Limits(), rule: o.By, moved: o.Redirected, unsure: o.Unsure,
		grave: whole(o.From, f.From) && whole(o.To, f.To) && mostPackets(o),
	}
}

// mostPackets reports whether an outcome is of most of what goes between its subnets, not of a
// port or a protocol that few use.
func mostPackets(o firewall.Outcome) bool {
	common := len(o.Protos) == 0 || slices.Contains(o.Protos, "tcp")
	return common && mostPorts(o.Ports) && mostPorts(o.SourcePorts)
}

// mostPorts reports whether ports are more than half of all; none given is all.
func mostPorts(ports []firewall.Ports) bool {
	const half = 1 << 15
	n := 0
	for _, p := range ports {
		n += int(p.To) - int(p.From) + 1
	}
	return len(ports) == 0 || n > half
}

// flowsOf are the packets that must pass for a subnet of ours: what comes in anew, unless only
// published ports are open, what comes back, what goes out, and what goes back. A redirect on the uplink makes
// what comes in look as if it came from the bridge.
func flowsOf(l host.Local, w host.Wish, redirected bool) []firewall.Flow {
	in := w.Uplink
	if redirected {
		in = l.Bridge
	}
	others := slices.DeleteFunc(w.PeerPrefixes(), func(p netip.Prefix) bool { return p.Addr().Is4() != l.Prefix.Addr().Is4() })
	if len(others) == 0 {
		return nil
	}
	local := []netip.Prefix{l.Prefix}
	flows := []firewall.Flow{
		{In: in, Out: l.Bridge, From: others, To: local, State: "new"},
		{In: in, Out: l.Bridge, From: others, To: local, State: "established"},
		{In: l.Bridge, Out: w.Uplink, From: local, To: others, State: "new"},
		{In: l.Bridge, Out: w.Uplink, From: local, To: others, State: "established"},
	}
	if w.Strict {
		flows = flows[1:]
	}
	return flows
}
