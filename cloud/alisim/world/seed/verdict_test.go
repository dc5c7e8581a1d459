package seed_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

// grouped is the example with what group tests want changed: i-1 has a secondary interface,
// eni-b, in group sg-b; sg-1 holds no rule of its own.
func grouped(t *testing.T, change func(own, b *alisim.SecurityGroup)) alisim.Seed {
	t.Helper()
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) {
		own, b := alisim.SecurityGroup{ID: "sg-1"}, alisim.SecurityGroup{ID: "sg-b"}
		change(&own, &b)
		s.VPCs[0].SecurityGroups = []alisim.SecurityGroup{own, b}
		s.Instances[0].Interfaces = []alisim.Interface{{
			ID: "eni-b", IP: netip.MustParseAddr("192.168.0.21"), SecurityGroups: []string{"sg-b"},
		}}
	})
	return sim.Snapshot()
}

func TestGroupsDecide(t *testing.T) {
	from := func(p string) alisim.Rule { return alisim.Rule{Source: netip.MustParsePrefix(p)} }
	to := func(p string) alisim.Rule { return alisim.Rule{Destination: netip.MustParsePrefix(p)} }
	drop := func(r alisim.Rule, priority int) alisim.Rule {
		r.Policy, r.Priority = "drop", priority
		return r
	}
	web := from("0.0.0.0/0")
	web.Protocol, web.Ports = "tcp", "80/81"
	const neighbour, container, outside = "192.168.0.12", "172.20.1.2", "203.0.113.9"
	tests := map[string]struct {
		change   func(own, b *alisim.SecurityGroup)
		d        alisim.Direction
		peer     string
		protocol string
		port     uint16
		want     bool
	}{
		"members reach one another":             {nil, alisim.Ingress, neighbour, "TCP", 22, true},
		"a container is no member":              {nil, alisim.Ingress, container, "TCP", 22, false},
		"a member of another group is none":     {nil, alisim.Ingress, "192.168.0.21", "TCP", 22, false},
		"everything may leave":                  {nil, alisim.Egress, outside, "UDP", 53, true},
		"members kept apart":                    {func(o, _ *alisim.SecurityGroup) { o.InnerAccess = "Drop" }, alisim.Ingress, neighbour, "TCP", 22, false},
		"a rule lets containers in":             {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{from("172.20.0.0/16")} }, alisim.Ingress, container, "ICMP", 0, true},
		"a rule for ports: inside":              {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{web} }, alisim.Ingress, outside, "tcp", 81, true},
		"a rule for ports: outside":             {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{web} }, alisim.Ingress, outside, "TCP", 82, false},
		"a rule for ports: other protocol":      {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{web} }, alisim.Ingress, outside, "UDP", 80, false},
		"drop wins in one priority":             {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{web, drop(from(outside+"/32"), 1)} }, alisim.Ingress, outside, "TCP", 80, false},
		"the lower number wins":                 {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{drop(from(outside+"/32"), 2), web} }, alisim.Ingress, outside, "TCP", 80, true},
		"a rule goes before inner access":       {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{drop(from("192.168.0.0/16"), 100)} }, alisim.Ingress, neighbour, "TCP", 22, false},
		"a group is let in":                     {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{{Group: "sg-b"}} }, alisim.Ingress, "192.168.0.21", "TCP", 22, true},
		"a rule keeps from leaving":             {func(o, _ *alisim.SecurityGroup) { o.Egress = []alisim.Rule{drop(to("203.0.113.0/24"), 1)} }, alisim.Egress, outside, "TCP", 80, false},
		"an enterprise group has no members":    {func(o, _ *alisim.SecurityGroup) { o.Type = alisim.EnterpriseGroup }, alisim.Ingress, neighbour, "TCP", 22, false},
		"an enterprise group lets nothing go":   {func(o, _ *alisim.SecurityGroup) { o.Type = alisim.EnterpriseGroup }, alisim.Egress, neighbour, "TCP", 22, false},
		"an enterprise group with egress rules": {func(o, _ *alisim.SecurityGroup) { o.Type, o.Egress = "enterprise", []alisim.Rule{to("0.0.0.0/0")} }, alisim.Egress, outside, "TCP", 22, true},
		"IPv6 is not let in by IPv4":            {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{from("0.0.0.0/0")} }, alisim.Ingress, "2001:db8::1", "TCP", 22, false},
		"IPv6 by a rule of its own":             {func(o, _ *alisim.SecurityGroup) { o.Ingress = []alisim.Rule{from("::/0")} }, alisim.Ingress, "2001:db8::1", "TCP", 22, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.change == nil {
				tt.change = func(_, _ *alisim.SecurityGroup) {}
			}
			world := grouped(t, tt.change)
			own, peer := netip.MustParseAddr("192.168.0.11"), netip.MustParseAddr(tt.peer)
			p := alisim.Packet{Source: peer, Destination: own, Protocol: tt.protocol, Port: tt.port}
			if tt.d == alisim.Egress {
				p.Source, p.Destination = own, peer
			}
			if got := world.Admits("eni-1", tt.d, p); got != tt.want {
				t.Errorf("admitted %v, want %v; verdicts: %+v", got, tt.want, world.Verdicts("eni-1", tt.d))
			}
		})
	}
}

func TestEachInterfaceHasItsGroups(t *testing.T) {
	world := grouped(t, func(_, b *alisim.SecurityGroup) {
		b.Ingress = []alisim.Rule{{Source: netip.MustParsePrefix("172.20.0.0/16")}}
	})
	p := alisim.Packet{Source: netip.MustParseAddr("172.20.1.2"), Protocol: "TCP", Port: 80}
	if world.Admits("eni-1", alisim.Ingress, p) || !world.Admits("eni-b", alisim.Ingress, p) {
		t.Error("the groups of the other interface decide")
	}
	if !world.Admits("eni-none", alisim.Ingress, p) {
		t.Error("no group keeps packets")
	}
}

func TestHopIsFound(t *testing.T) {
	world := grouped(t, func(_, _ *alisim.SecurityGroup) {})
	got := map[string]string{}
	for _, id := range []string{"i-1", "eni-1", "eni-b", "i-9"} {
		if i, f, ok := world.Hop(id); ok {
			got[id] = i.ID + " " + f.IP.String()
		}
	}
	want := map[string]string{"i-1": "i-1 192.168.0.11", "eni-1": "i-1 192.168.0.11", "eni-b": "i-1 192.168.0.21"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
