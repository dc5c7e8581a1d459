package agent

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Snapshots is the registry as far as looking at it goes.
type Snapshots interface {
	Snapshot(ctx context.Context) (api.Snapshot, error)
}

// previewed is a host that says what would be done to it.
type previewed interface {
	Host
	Plan(ctx context.Context, w host.Wish) ([]host.Step, error)
}

// Preview says what an agent that starts now would change on the host, and changes nothing.
// registry may be nil: then the host is taken to be alone.
func Preview(ctx context.Context, c Config, h previewed, registry Snapshots) ([]host.Step, error) {
	f, err := h.Facts(ctx, c.Identity.IP)
	if err != nil {
		return nil, err
	}
	var snapshot *api.Snapshot
	if registry != nil {
		s, err := registry.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		snapshot = &s
	}
	return h.Plan(ctx, wish(f, c, snapshot))
}

// Examination is what a look at a host found, without a change to it.
type Examination struct {
	Facts    host.Facts
	Path     host.Path
	Served   []host.Local // subnets that others may reach
	Answers  []Answer
	Findings []api.Finding
	Away     error // why the registry could not be read; what it last said stands in
}

// Question is one packet to ask about. An unset From or To leaves the choice to the host's
// subnets and those of the others.
type Question struct {
	From, To netip.Addr
	Proto    string     // tcp, udp or icmp
	own      netip.Addr // the host's
	Port     uint16

	// For when the registry does not answer: where it is, for a look at the way there, and when
	// it last said what is remembered.
	Registry []netip.Addr
	AsOf     time.Time
}

// Examine looks at a host: what it is like, what is wrong with it, and what becomes of packets
// between its subnets and those of each other host. It changes nothing. registry may be nil;
// while it does not answer, what Config.Memory has of it stands in.
func Examine(ctx context.Context, c Config, h Host, registry Snapshots, q Question) (Examination, error) {
	f, err := h.Facts(ctx, c.Identity.IP)
	if err != nil {
		return Examination{}, err
	}
	v := view{facts: f, only: true}
	var snapshot *api.Snapshot
	x := Examination{Facts: f}
	if registry != nil {
		s, err := registry.Snapshot(ctx)
		if x.Away = err; err == nil {
			snapshot = &s
		}
	}
	v.wish, v.peers = wish(f, c, snapshot), peersOf(c, snapshot)
	if last, known := lastSaid(c); snapshot == nil && known {
		v.wish, v.peers = last.into(v.wish, f, c), last.peers(c)
	}
	own := hostOf(snapshot, c.Identity.Instance)
	x.Served = subnetsOf(c.Serve.bridges(f, own))
	if snapshot == nil {
		v.wish.Locals = x.Served
	}
	rules := readRules(ctx, &v, h)
	v.lookAtPath(ctx, h, rules, c.Serve, own)
	x.Path = v.path
	q.own = c.Identity.IP
	x.askRules(rules, &v, q)
	x.Findings = diagnose(&v, c, own, refusals(snapshot, c.Identity, x.Served))
	if x.Away != nil {
		text := "the registry is out of reach, and nothing is remembered of what it said, so the other hosts are not known: "
		if len(v.peers) > 0 {
			text = fmt.Sprintf("the registry is out of reach, so the other hosts are as of %s: ", q.AsOf.UTC().Format(time.RFC3339))
		}
		x.Findings = append(x.Findings, wayToRegistry(ctx, &v, h, q.Registry)...)
		x.Findings = append(x.Findings, api.Finding{Code: api.FindingUnproven, Severity: api.Warning, Text: text + x.Away.Error(), Fix: "see whether etcd answers at --etcd-endpoints"})
	}
	return x, nil
}

// lastSaid is what the registry last said of this host, if that is remembered.
func lastSaid(c Config) (recalled, bool) {
	if c.Memory == nil {
		return recalled{}, false
	}
	p, err := c.Memory.RecallPeers()
	return recalled(p), err == nil && p.Instance == c.Identity.Instance && p.VPC == c.Identity.VPC && p.Cluster == c.Cluster
}

// readRules reads the rules of a host; nil if they cannot be. What is not known of them is noted.
func readRules(ctx context.Context, v *view, traffic Traffic) *firewall.Ruleset {
	dump, err := traffic.Rules(ctx)
	var rules *firewall.Ruleset
	if err == nil {
		rules, err = firewall.Parse(dump)
	}
	if err != nil {
		v.unproven = append(v.unproven, fmt.Errorf("read the host's rules: %w", err))
		return nil
	}
	if err := gapsOf(rules.Unproven()); err != nil {
		v.unproven = append(v.unproven, err)
	}
	return rules
}

// askRules fills in what becomes of packets. rules is nil if they could not be read.
func (x *Examination) askRules(rules *firewall.Ruleset, v *view, q Question) {
	w := v.wish
	w.Locals = x.Served
	switch {
	case q.From.IsValid() && q.To.IsValid():
		x.Answers = []Answer{askPacket(rules, v, q)}
	case !q.From.IsValid():
		x.Answers = answersFor(rules, v, w)
	}
	for i, a := range x.Answers {
		if len(v.unproven) > 0 && !a.Dropped && a.Lost == "" {
			x.Answers[i].Unproven = v.unproven[0].Error()
		}
	}
	if rules == nil {
		return
	}
	drops, doubts := findDrops(rules, v.wish, v.facts.Redirect)
	v.drops = drops
	if err := gapsOf(doubts); err != nil {
		v.unproven = append(v.unproven, err)
	}
}

// refusals are the served subnets that another host holds, as the registry has it now: what an
// agent is told when it reports them.
func refusals(s *api.Snapshot, id Identity, served []host.Local) []api.Conflict {
	if s == nil {
		return nil
	}
	var all []api.Conflict
	for _, l := range served {
		for _, c := range s.Claims {
			if c.Instance == id.Instance || !c.Prefix.Overlaps(l.Prefix) {
				continue
			}
			holder := string(c.Instance)
			if h := hostOf(s, c.Instance); h != nil {
				holder = h.Label()
			}
			all = append(all, api.Conflict{
				Destination: l.Prefix, Host: id.Instance, HostName: id.Name, Reason: api.ReasonOverlapsClaim, With: c.Prefix, Holder: holder,
			})
		}
	}
	return all
}

// wayToRegistry says why the registry does not answer, as far as this host's routes tell.
func wayToRegistry(ctx context.Context, v *view, traffic Traffic, registry []netip.Addr) []api.Finding {
	path, err := traffic.Path(ctx, host.PathQuestion{Uplink: v.facts.Uplink, Hosts: registry})
	if err != nil {
		return nil
	}
	var all []api.Finding
	for _, l := range path.Lookups {
		b, local := named(v.facts.Bridges, l.Device)
		text := ""
		switch {
		case l.Fate == host.FateSent && local:
			text = fmt.Sprintf("packets for the registry at %s stay on this host: bridge %s takes %s", l.Dst, b.Name, l.Route)
			if b.Network != nil {
				text = fmt.Sprintf("packets for the registry at %s stay on this host: network %s takes %s (bridge %s)", l.Dst, b.Network.Name, l.Route, b.Name)
			}
		case l.Fate == host.FateNoRoute || l.Fate == host.FateUnreachable || l.Fate == host.FateProhibited || l.Fate == host.FateBlackhole:
			text = fmt.Sprintf("packets for the registry at %s are lost on this host: %s", l.Dst, l.Fate)
		}
		if text != "" {
			all = append(all, api.Finding{Code: api.FindingPeerAstray, Severity: api.Failure, Text: text, Fix: "give the network another subnet, or correct the route: ip route get " + l.Dst.String()})
		}
	}
	return all
}
