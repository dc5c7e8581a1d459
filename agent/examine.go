package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Snapshots is the registry as far as looking at it goes.
type Snapshots interface {
	Snapshot(ctx context.Context) (api.Snapshot, error)
}

// Planner is a host that says what would be done to it.
type Planner interface {
	Host
	Plan(ctx context.Context, w host.Wish) ([]host.Step, error)
}

// Preview says what an agent that starts now would change on the host, and changes nothing.
// registry may be nil: then the host is taken to be alone.
func Preview(ctx context.Context, c Config, h Planner, registry Snapshots) ([]host.Step, error) {
	f, snapshot, err := read(ctx, c, h, registry)
	if err != nil {
		return nil, err
	}
	return h.Plan(ctx, wish(f, c, snapshot))
}

func read(ctx context.Context, c Config, h Host, registry Snapshots) (host.Facts, *api.Snapshot, error) {
	f, err := h.Facts(ctx, c.Identity.IP)
	if err != nil || registry == nil {
		return f, nil, err
	}
	s, err := registry.Snapshot(ctx)
	return f, &s, err
}

// Examination is what a look at a host found, without a change to it.
type Examination struct {
	Facts    host.Facts
	Served   []host.Local // subnets that others may reach
	Answers  []Answer
	Findings []api.Finding
}

// Answer is what the host's rules do to packets from one place to another. One direction
// and state of a connection each.
type Answer struct {
	From    netip.Prefix `json:"from"`
	To      netip.Prefix `json:"to"`
	Bridge  string       `json:"bridge"` // of the two, the one that is ours is on it
	State   string       `json:"state"`  // new: the first packet of a connection; established: a later one
	Dropped bool         `json:"dropped"`
	By      string       `json:"by,omitempty"`     // the rule
	Unsure  []string     `json:"unsure,omitempty"` // rules that were not understood and may decide otherwise
}

func (a Answer) String() string {
	text := fmt.Sprintf("%s -> %s (%s, %s): ", a.From, a.To, a.Bridge, a.State)
	if !a.Dropped {
		return text + "passes"
	}
	return text + "dropped by " + a.By
}

// Question is one packet to ask about. An unset From or To leaves the choice to the host's
// subnets and to one of each kind of the others.
type Question struct {
	From, To netip.Addr
	Proto    string // tcp, udp or icmp
	Port     uint16
}

// Examine looks at a host: what it is like, what is wrong with it, and which rule, if any,
// drops packets between its subnets and the others'. It changes nothing. registry may be nil.
func Examine(ctx context.Context, c Config, h Host, registry Snapshots, q Question) (Examination, error) {
	f, snapshot, err := read(ctx, c, h, registry)
	if err != nil {
		return Examination{}, err
	}
	v := view{facts: f, wish: wish(f, c, snapshot), peers: peersOf(c, snapshot), only: true}
	own := hostOf(snapshot, c.Identity.Instance)
	v.lookAtPath(ctx, h, c.Serve, own)
	x := Examination{Facts: f, Served: subnetsOf(c.Serve.bridges(f, own))}
	dump, err := h.Rules(ctx)
	var rules *firewall.Ruleset
	if err == nil {
		rules, err = firewall.Parse(dump)
	}
	if err != nil {
		v.unproven = append(v.unproven, fmt.Errorf("read the host's rules: %w", err))
		x.Findings = diagnose(&v, c, own, nil)
		return x, nil
	}
	w := v.wish
	w.Locals = x.Served
	if q.From.IsValid() && q.To.IsValid() {
		x.Answers = []Answer{ask(rules, f, q)}
	} else {
		for _, l := range x.Served {
			for _, p := range probes(l, w, f.Redirect) {
				x.Answers = append(x.Answers, answer(rules, l.Bridge, p))
			}
		}
	}
	v.drops = drops(rules, v.wish, f.Redirect)
	if err := unproven(rules); err != nil {
		v.unproven = append(v.unproven, err)
	}
	x.Findings = diagnose(&v, c, own, nil)
	return x, nil
}

func answer(rules *firewall.Ruleset, bridge string, p probe) Answer {
	v := rules.Forward(p.packet)
	a := Answer{From: p.from, To: p.to, Bridge: bridge, State: p.packet.State, Dropped: v.Dropped}
	if v.Dropped {
		a.By = v.By.String()
	}
	for _, r := range v.Unsure {
		a.Unsure = append(a.Unsure, r.String())
	}
	return a
}

// ask asks about one packet. Which interfaces it comes in and goes out by follows from the
// subnets of the bridges; what is on none of them is behind the uplink.
func ask(rules *firewall.Ruleset, f host.Facts, q Question) Answer {
	side := func(a netip.Addr) string {
		at := slices.IndexFunc(f.Bridges, func(b host.Bridge) bool {
			return slices.ContainsFunc(b.Prefixes(), func(p netip.Prefix) bool { return p.Contains(a) })
		})
		if at < 0 {
			return f.Uplink
		}
		return f.Bridges[at].Name
	}
	packet := firewall.Packet{In: side(q.From), Out: side(q.To), Src: q.From, Dst: q.To, Proto: q.Proto, DstPort: q.Port, State: "new"}
	switch q.Proto {
	case "icmp":
		const echo, echo6 = 8, 128
		packet.ICMPType = echo
		if q.To.Is6() {
			packet.ICMPType = echo6
		}
	default:
		packet.SrcPort = 40000
	}
	if f.Redirect && packet.In == f.Uplink && packet.Out != f.Uplink {
		packet.In = packet.Out
	}
	bridge := packet.Out
	if bridge == f.Uplink {
		bridge = packet.In
	}
	whole := func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
	return answer(rules, bridge, probe{whole(q.From), whole(q.To), packet})
}
