package agent

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// drop is a rule that drops packets which should pass.
type drop struct {
	from, to netip.Prefix
	bridge   string // of the two subnets, the one that is ours is on it
	rule     firewall.Rule
	unsure   []firewall.Rule // not understood, and able to accept them before
}

func (d drop) String() string {
	text := fmt.Sprintf("packets from %s to %s (%s) are dropped by %s", d.from, d.to, d.bridge, d.rule)
	if len(d.unsure) > 0 {
		text += fmt.Sprintf(", unless %s accepts them", d.unsure[0])
	}
	return text
}

// certain reports whether one of the drops is beyond doubt.
func certain(all []drop) bool {
	return slices.ContainsFunc(all, func(d drop) bool { return len(d.unsure) == 0 })
}

// proof asks the rules of a host only when they or the wish are others than before.
type proof struct {
	dump       firewall.Dump
	wish       host.Wish
	redirected bool
	found      []drop
	unproven   error
}

// drops are the rules of the host that drop packets which should pass. The error says why
// that cannot be told.
func (p *proof) drops(ctx context.Context, h Host, w host.Wish, redirected bool) ([]drop, error) {
	dump, err := h.Rules(ctx)
	if err != nil {
		return nil, err
	}
	if reflect.DeepEqual(dump, p.dump) && reflect.DeepEqual(w, p.wish) && redirected == p.redirected {
		return p.found, p.unproven
	}
	rules, err := firewall.Parse(dump)
	if err != nil {
		return nil, fmt.Errorf("read the host's rules: %w", err)
	}
	*p = proof{dump, w, redirected, drops(rules, w, redirected), unproven(rules)}
	return p.found, p.unproven
}

// unproven is why what the rules say may not be all; nil if it is.
func unproven(rules *firewall.Ruleset) error {
	reasons := rules.Unproven()
	if len(reasons) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", strings.Join(reasons, "; "), api.ErrUnsupported)
}

// drops asks a host's rules what they would do to packets between our subnets. One subnet
// and one peer stand for all of the other hosts', since our rules match them by sets. Each
// rule that drops is named once for a bridge.
func drops(rules *firewall.Ruleset, w host.Wish, redirected bool) []drop {
	var found []drop
	for _, l := range w.Locals {
		for _, p := range probes(l, w, redirected) {
			v := rules.Forward(p.packet)
			d := drop{from: p.from, to: p.to, bridge: l.Bridge, rule: v.By, unsure: v.Unsure}
			if v.Dropped && !slices.ContainsFunc(found, func(o drop) bool { return o.bridge == d.bridge && o.rule == d.rule }) {
				found = append(found, d)
			}
		}
	}
	return found
}

// probe is a packet that stands for those between two subnets.
type probe struct {
	from, to netip.Prefix
	packet   firewall.Packet
}

// probes are the packets that must pass for a subnet of ours: what comes in anew, unless
// only published ports are open, what comes back, and what goes out. A redirect on the
// uplink makes what comes in look as if it came from the bridge.
func probes(l host.Local, w host.Wish, redirected bool) []probe {
	in := w.Uplink
	if redirected {
		in = l.Bridge
	}
	local := container(l.Prefix)
	var all []probe
	for _, r := range remotes(l, w) {
		packet := firewall.Packet{In: in, Out: l.Bridge, Src: container(r), Dst: local, Proto: "tcp", SrcPort: 40000, DstPort: 1, State: "new"}
		if !w.Strict {
			all = append(all, probe{r, l.Prefix, packet})
		}
		packet.State = "established"
		all = append(all, probe{r, l.Prefix, packet})
		packet.In, packet.Out, packet.Src, packet.Dst, packet.State = l.Bridge, w.Uplink, local, container(r), "new"
		all = append(all, probe{l.Prefix, r, packet})
	}
	return all
}

// remotes are one subnet and one host of the others, of a local subnet's family.
func remotes(l host.Local, w host.Wish) []netip.Prefix {
	var some []netip.Prefix
	same := func(a netip.Addr) bool { return a.Is4() == l.Prefix.Addr().Is4() }
	if i := slices.IndexFunc(w.Remotes, func(p netip.Prefix) bool { return same(p.Addr()) }); i >= 0 {
		some = append(some, w.Remotes[i])
	}
	if i := slices.IndexFunc(w.Peers, same); i >= 0 {
		some = append(some, netip.PrefixFrom(w.Peers[i], w.Peers[i].BitLen()))
	}
	return some
}

// container is the address that Docker gives a subnet's first container, behind the
// bridge's own; of a single host, its own.
func container(p netip.Prefix) netip.Addr {
	if p.IsSingleIP() {
		return p.Addr()
	}
	return p.Masked().Addr().Next().Next()
}
