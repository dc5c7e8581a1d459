package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// generation groups the engines that behave alike.
type generation int

const (
	g1 generation = 1 + iota // 20.10 to 27: a policy at most
	g2                       // 28.0, 28.1: a final drop, and a raw one per published port
	g3                       // 28.2 to 29 with iptables: a final drop, and a raw one per container
	g4                       // 29 with nftables: the same in tables of its own
)

func (f fixture) generation() generation {
	switch {
	case f.backend == "nftables":
		return g4
	case f.engine < "28":
		return g1
	case strings.HasPrefix(f.engine, "28.0.") || strings.HasPrefix(f.engine, "28.1."):
		return g2
	default:
		return g3
	}
}

// open is the policy of FORWARD: dockerd leaves ACCEPT where ip_forward was 1 before it started.
func (f fixture) open() bool { return f.state == "ipfwd-preset-empty" }

// blocker names a rule by what an operator would search for.
type blocker struct {
	table, chain, text string
}

func (b blocker) is(r Rule) bool {
	return r.Table == b.table && r.Chain == b.chain && strings.Contains(r.Text, b.text)
}

// cell is one pair of the matrix. What it expects is measured with real engines, see
// testdata/README.md; by is nil where the packet arrives.
type cell struct {
	from, to string
	packet   Packet
	by       *blocker
	masked   bool       // the source is masqueraded
	dst      netip.Addr // after translation, if any
}

// target is a container on a bridge and what is known of its ports.
type target struct {
	bridge    bridge
	addr      netip.Addr
	known     bool // Docker started it; else somebody gave it an address by hand
	published bool // its port 80
	hostPort  uint16
}

func (f fixture) targets() []target {
	ports := map[string]uint16{
		"published": 8080, "userbridge-published": 8082, "gw-nat-unprotected": 8083,
		"trusted-eth0": 8084, "ipv6": 8085, "gw-routed": 0,
	}
	var all []target
	for _, b := range f.bridges {
		all = append(all, target{bridge: b, addr: b.free()})
		for _, c := range b.containers {
			port, ok := ports[f.state]
			all = append(all, target{bridge: b, addr: c, known: true, published: ok, hostPort: port})
		}
	}
	return all
}

// mode is the gateway mode of a target's bridge.
func (f fixture) mode(t target) string {
	switch f.state {
	case "gw-routed", "gw-nat-unprotected", "gw-isolated", "internal", "trusted-eth0":
		if t.bridge.name != "docker0" {
			return strings.TrimPrefix(f.state, "gw-")
		}
	}
	return "nat"
}

// blocked is what stops a packet from another machine, nil if it arrives: the tables of
// reachability without an agent and of gateway modes, as code.
func (f fixture) blocked(t target, published bool, ping bool) *blocker {
	gen, mode := f.generation(), f.mode(t)
	switch {
	case mode == "internal" || mode == "isolated":
		return f.internal(t)
	case gen == g1 && (published || f.open()):
		return nil
	case gen == g1:
		return &blocker{"filter", "FORWARD", "policy DROP"}
	case mode == "nat-unprotected":
		return nil
	case mode == "routed" && (ping || published):
		return nil
	case mode == "trusted-eth0" && published:
		return nil
	case mode == "nat" && t.known && (gen >= g3 || published):
		return f.raw(t)
	default:
		return f.final(t)
	}
}

// raw is the drop in table raw of what goes to a container from outside its bridge.
func (f fixture) raw(t target) *blocker {
	if f.generation() == g4 {
		return &blocker{"docker-bridges", "raw-PREROUTING", "ip daddr " + t.addr.String()}
	}
	return &blocker{"raw", "PREROUTING", "-A PREROUTING -d " + t.addr.String() + "/32 ! -i " + t.bridge.name}
}

// final is the drop of what enters a bridge and was not accepted before.
func (f fixture) final(t target) *blocker {
	if f.generation() == g4 {
		return &blocker{"docker-bridges", "filter-forward-in__" + t.bridge.name, "UNPUBLISHED PORT DROP"}
	}
	return &blocker{"filter", "DOCKER", "! -i " + t.bridge.name + " -o " + t.bridge.name + " -j DROP"}
}

// internal is what keeps other networks out of one that is internal.
func (f fixture) internal(t target) *blocker {
	switch {
	case f.generation() == g4:
		return &blocker{"docker-bridges", "filter-forward-in__" + t.bridge.name, "INTERNAL NETWORK INGRESS"}
	case f.engine >= "29":
		return &blocker{"filter", "DOCKER-INTERNAL", "-o " + t.bridge.name + " -j DROP"}
	default:
		return &blocker{"filter", "DOCKER-ISOLATION-STAGE-1", "-o " + t.bridge.name + " -j DROP"}
	}
}

// egress is what keeps an internal network's containers in.
func (f fixture) egress(t target) *blocker {
	switch {
	case f.mode(t) != "internal" && f.mode(t) != "isolated":
		return nil
	case f.generation() == g4:
		return &blocker{"docker-bridges", "filter-forward-out__" + t.bridge.name, "INTERNAL NETWORK EGRESS"}
	case f.engine >= "29":
		return &blocker{"filter", "DOCKER-INTERNAL", "-i " + t.bridge.name + " -j DROP"}
	default:
		return &blocker{"filter", "DOCKER-ISOLATION-STAGE-1", "-i " + t.bridge.name + " -j DROP"}
	}
}

// isolated is what keeps another bridge of the same host out.
func (f fixture) isolated(t target, published bool) *blocker {
	gen := f.generation()
	switch {
	case t.bridge.internal:
		return f.internal(t)
	case t.known && (gen >= g3 || gen == g2 && published):
		return f.raw(t)
	case f.engine < "29":
		return &blocker{"filter", "DOCKER-ISOLATION-STAGE-2", "-o " + t.bridge.name + " -j DROP"}
	default:
		return f.final(t)
	}
}

const (
	port     = 80
	loopPort = 81 // published on the loopback address only
	noPort   = 82
)

func tcp(in, out string, src, dst netip.Addr, dport uint16) Packet {
	return Packet{In: in, Out: out, Src: src, Dst: dst, Proto: "tcp", SrcPort: 40000, DstPort: dport}
}

func ping(in, out string, src, dst netip.Addr) Packet {
	return Packet{In: in, Out: out, Src: src, Dst: dst, Proto: "icmp", ICMPType: 8}
}

// cells is the whole matrix of a fixture.
func (f fixture) cells() []cell {
	var all []cell
	for _, t := range f.targets() {
		all = append(all, f.fromOutside(t)...)
		all = append(all, f.fromHost(t)...)
		all = append(all, f.fromContainer(t)...)
		all = append(all, f.fromBridges(t)...)
	}
	docker0 := f.bridges[0].address
	for _, from := range outside() {
		p, q := ping("eth0", "", from.addr, docker0), tcp("eth0", "", from.addr, docker0, 22)
		p.ToHost, q.ToHost = true, true
		all = append(all, cell{from: from.name, to: "docker0 address ping", packet: p}, cell{from: from.name, to: "docker0 address tcp", packet: q})
	}
	if f.state == "published" {
		all = append(all, f.loopback())
	}
	return all
}

type source struct {
	name string
	addr netip.Addr
}

// outside are who may send from another machine. Docker tells none of them apart.
func outside() []source {
	return []source{
		{"container A masqueraded", hostA},
		{"container A", containerA},
		{"host A", hostA},
		{"outsider", outsider},
	}
}

func (f fixture) fromOutside(t target) []cell {
	var all []cell
	br := t.bridge.name
	for _, from := range outside() {
		add := func(to string, p Packet, by *blocker) {
			all = append(all, cell{from: from.name, to: t.addr.String() + " " + to, packet: p, by: by})
		}
		add("ping", ping("eth0", br, from.addr, t.addr), f.blocked(t, false, true))
		add("port 80", tcp("eth0", br, from.addr, t.addr, port), f.blocked(t, t.published, false))
		add("port 81", tcp("eth0", br, from.addr, t.addr, loopPort), f.blocked(t, t.known && f.state == "published", false))
		add("port 82", tcp("eth0", br, from.addr, t.addr, noPort), f.blocked(t, false, false))
		if t.hostPort != 0 {
			p := tcp("eth0", br, from.addr, hostB, t.hostPort)
			p.ToHost = true
			all = append(all, cell{from: from.name, to: "host B published port", packet: p, dst: t.addr})
		}
	}
	return all
}

// fromHost: a host reaches its own containers, whatever the generation.
func (f fixture) fromHost(t target) []cell {
	if f.state == "gw-isolated" && t.bridge.internal {
		return nil // the host has no address there, so no way to it
	}
	br, src := t.bridge.name, t.bridge.address
	return []cell{
		{from: "host B", to: t.addr.String() + " ping", packet: ping("", br, src, t.addr)},
		{from: "host B", to: t.addr.String() + " port 80", packet: tcp("", br, src, t.addr, port)},
		{from: "host B", to: t.addr.String() + " port 82", packet: tcp("", br, src, t.addr, noPort)},
	}
}

// fromContainer: the sending side never blocks what begins here, and masquerades it; what
// answers it is lost from 28.2 on if the source was kept, as if it began there.
func (f fixture) fromContainer(t target) []cell {
	br := t.bridge.name
	masked := f.mode(t) != "routed"
	answer := tcp("eth0", br, containerA, t.addr, 40000)
	answer.State = "established"
	reply := tcp(br, "eth0", t.addr, containerA, 40000)
	reply.State = "established"
	all := []cell{
		{from: t.addr.String(), to: "container A", packet: tcp(br, "eth0", t.addr, containerA, port), by: f.egress(t), masked: masked},
		{from: t.addr.String(), to: "container A ping", packet: ping(br, "eth0", t.addr, containerA), by: f.egress(t), masked: masked},
	}
	if t.bridge.internal {
		return all // nothing gets in or out that could be answered
	}
	back := cell{from: "container A, answering", to: t.addr.String(), packet: answer}
	if f.mode(t) == "nat" && f.generation() >= g3 && t.known {
		back.by = f.raw(t)
	}
	return append(all, back, cell{from: t.addr.String(), to: "container A, answering", packet: reply})
}

// fromBridges: bridges of a host are kept apart, except where a gateway mode says otherwise.
func (f fixture) fromBridges(t target) []cell {
	if mode := f.mode(t); mode == "routed" || mode == "nat-unprotected" {
		return nil // not measured
	}
	var all []cell
	for _, b := range f.bridges {
		if b.name == t.bridge.name {
			continue
		}
		ask := func(to string, p Packet, by *blocker) {
			if b.internal && f.generation() != g4 { // there the bridge that it enters is asked first
				by = f.egress(target{bridge: b})
			}
			all = append(all, cell{from: b.name, to: t.addr.String() + " " + to, packet: p, by: by})
		}
		from := b.free()
		ask("ping", ping(b.name, t.bridge.name, from, t.addr), f.isolated(t, false))
		ask("port 80", tcp(b.name, t.bridge.name, from, t.addr, port), f.isolated(t, t.published))
		ask("port 82", tcp(b.name, t.bridge.name, from, t.addr, noPort), f.isolated(t, false))
	}
	return all
}

// loopback: a port published on 127.0.0.1 is no other machine's, from 28.0 on.
func (f fixture) loopback() cell {
	p := tcp("eth0", "docker0", outsider, netip.MustParseAddr("127.0.0.1"), 8081)
	p.ToHost = true
	c := cell{from: "outsider", to: "127.0.0.1:8081", packet: p}
	switch f.generation() {
	case g1:
		c.dst = f.bridges[0].containers[0]
	case g4:
		c.by = &blocker{"docker-bridges", "raw-PREROUTING", "DROP REMOTE LOOPBACK"}
	default:
		c.by = &blocker{"raw", "PREROUTING", "-d 127.0.0.1/32 ! -i lo"}
	}
	return c
}

// TestMatrix asks of every captured engine what was measured on it.
func TestMatrix(t *testing.T) {
	asked := 0
	for _, f := range fixtures(t) {
		if strings.HasSuffix(f.state, "agent-applied") {
			continue // TestApplied
		}
		t.Run(f.name, func(t *testing.T) {
			for _, c := range f.cells() {
				asked++
				c.check(t, f.rules.Forward(c.packet))
			}
		})
	}
	if asked < 8000 {
		t.Errorf("%d cells, fewer than there should be", asked)
	}
}

func (c cell) check(t *testing.T, v Verdict) {
	t.Helper()
	where := c.from + " -> " + c.to
	switch {
	case v.Dropped && c.by == nil:
		t.Errorf("%s: dropped by %s, want it to arrive", where, v.By)
	case !v.Dropped && c.by != nil:
		t.Errorf("%s: arrives, want it dropped by %v", where, *c.by)
	case v.Dropped && !c.by.is(v.By):
		t.Errorf("%s: dropped by %s, want %v", where, v.By, *c.by)
	}
	if len(v.Unsure) > 0 {
		t.Errorf("%s: unsure of %v", where, v.Unsure)
	}
	if v.Dropped || c.by != nil {
		return
	}
	if c.masked != v.Masqueraded {
		t.Errorf("%s: masqueraded %v, want %v", where, v.Masqueraded, c.masked)
	}
	if !v.Masqueraded && v.Src != c.packet.Src {
		t.Errorf("%s: source %s, want %s", where, v.Src, c.packet.Src)
	}
	if want := c.dst; want.IsValid() && v.Dst != want || !want.IsValid() && v.Dst != c.packet.Dst {
		t.Errorf("%s: arrives at %s, want %s", where, v.Dst, want)
	}
}

// TestPolicy: what G1's final rule is, the policy alone, has no number.
func TestPolicy(t *testing.T) {
	all := fixtures(t)
	i := slices.IndexFunc(all, func(f fixture) bool { return f.name == "20.10.24-iptables-plain" })
	b := all[i].bridges[0]
	v := all[i].rules.Forward(ping("eth0", "docker0", hostA, b.containers[0]))
	want := Rule{Backend: "iptables-nft", Family: "ip", Table: "filter", Chain: "FORWARD", Text: "policy DROP"}
	if !v.Dropped || v.By != want {
		t.Errorf("got %v %v, want a drop by %v", v.Dropped, v.By, want)
	}
}
