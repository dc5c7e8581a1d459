// Package hosttest is for tests of what stands on package host: a fake host that prints
// itself, and Run, the behaviour that the fake and the real one must both show.
package hosttest

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
)

// Subject is a host under test.
type Subject interface {
	Facts(ctx context.Context, ip netip.Addr) (host.Facts, error)
	Apply(ctx context.Context, w host.Wish) host.Outcome
	Restore(ctx context.Context) ([]host.Repair, error)
}

// Machine is a subject on a machine of its own, with the means to look at it and to
// disturb it. The machine has bridge docker0 with address 10.0.0.1/24, interface eth0 with
// 192.168.0.2/24, forwarding and reverse path filters off, and no rules.
type Machine struct {
	Subject
	Restart func() Subject    // a new subject on the same machine and state directory
	Dump    func() string     // everything a subject may change, and what lies around it
	Disturb func(Disturbance) // as somebody else would
}

// Disturbance is what others do to a host.
type Disturbance string

// The disturbances.
const (
	FlushFilter   Disturbance = "iptables -F"
	FlushRaw      Disturbance = "iptables -t raw -F"
	GetAhead      Disturbance = "a foreign rule put first where our jumps are"
	ForwardingOff Disturbance = "sysctl net.ipv4.ip_forward=0"
	DestroySets   Disturbance = "ipset destroy"
	LoseSource    Disturbance = "nft delete table ip sealane"
	StartDocker   Disturbance = "dockerd started"
	ForwardingOn  Disturbance = "sysctl net.ipv4.ip_forward=1"
	LinkOff       Disturbance = "sysctl net.ipv4.conf.docker0.forwarding=0"
	StrictFilter  Disturbance = "sysctl net.ipv4.conf.eth0.rp_filter=1"
	ShieldDocker  Disturbance = "dockerd 28 started" // after StartDocker
	LoseFile      Disturbance = "the file in sysctl.d removed"
	OpenPolicy    Disturbance = "iptables -P FORWARD ACCEPT"
	ClosePolicy   Disturbance = "iptables -P FORWARD DROP"
	FlushRuleset  Disturbance = "nft flush ruleset" // of a fake only
)

func wish() host.Wish {
	local, remote := netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.1.0.0/24")
	return host.Wish{
		Uplink:   "eth0",
		Forward:  true,
		Locals:   []host.Local{{Prefix: local, Bridge: "docker0"}},
		Remotes:  []netip.Prefix{remote},
		Peers:    []netip.Addr{netip.MustParseAddr("192.168.0.3")},
		KeepFrom: []netip.Prefix{local},
		Keep:     []netip.Prefix{remote},
	}
}

// Run holds a host to its promises. Each test gets a machine of its own.
func Run(t *testing.T, machine func(t *testing.T) Machine) {
	t.Run("facts", func(t *testing.T) { testFacts(t, machine(t)) })
	t.Run("repairs", func(t *testing.T) { testRepairs(t, machine) })
	t.Run("exposed", func(t *testing.T) { testExposed(t, machine) })
	t.Run("restore", func(t *testing.T) { testRestore(t, machine) })
	t.Run("wishes", func(t *testing.T) { testWishes(t, machine) })
}

func testFacts(t *testing.T, m Machine) {
	f, err := m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	want := []host.Bridge{{Name: "docker0", Up: f.Bridges[0].Up, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}}
	if diff := cmp.Diff(want, f.Bridges, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("bridges (-want +have):\n%s", diff)
	}
	if f.Uplink != "eth0" || f.Forwarding || f.Docker {
		t.Errorf("uplink %q, forwarding %t, docker %t; want eth0, false, false", f.Uplink, f.Forwarding, f.Docker)
	}
	m.Disturb(StartDocker)
	apply(t, m, wish())
	f, err = m.Facts(t.Context(), netip.MustParseAddr("192.168.0.9"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Uplink != "" || !f.Forwarding || !f.Docker || f.Bypassed || f.Shielded {
		t.Errorf("uplink %q, forwarding %t, docker %t, bypassed %t, shielded %t; want none, true, true, false, false", f.Uplink, f.Forwarding, f.Docker, f.Bypassed, f.Shielded)
	}
	m.Disturb(FlushFilter)
	if f, err = m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2")); err != nil || !f.Docker || !f.Bypassed {
		t.Errorf("after a flush docker %t, bypassed %t; want both; %v", f.Docker, f.Bypassed, err)
	}
	m.Disturb(StartDocker)
	apply(t, m, wish())
	m.Disturb(StrictFilter)
	for _, want := range []int{1, 2} {
		if f, err = m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2")); err != nil || f.ReversePath != want {
			t.Errorf("reverse path filter %d, want %d; %v", f.ReversePath, want, err)
		}
		apply(t, m, wish())
	}
}

func testRepairs(t *testing.T, machine func(t *testing.T) Machine) {
	for _, tt := range []struct {
		disturb Disturbance
		want    []host.Kind
	}{
		{FlushFilter, []host.Kind{host.KindChain, host.KindJump}},
		{FlushRaw, []host.Kind{host.KindChain, host.KindJump}},
		{GetAhead, []host.Kind{host.KindJump}},
		{ForwardingOff, []host.Kind{host.KindForwarding}},
		{DestroySets, []host.Kind{host.KindChain, host.KindSet}},
		{LoseSource, []host.Kind{host.KindSource}},
		{LinkOff, []host.Kind{host.KindFile, host.KindForwarding}},
		{StrictFilter, []host.Kind{host.KindFile, host.KindSetting}},
		{ShieldDocker, []host.Kind{host.KindFile}},
	} {
		t.Run(string(tt.disturb), func(t *testing.T) {
			m := machine(t)
			m.Disturb(StartDocker)
			apply(t, m, wish())
			if again := apply(t, m, wish()); len(again) > 0 {
				t.Errorf("applied twice, the second time repaired %v", again)
			}
			m.Disturb(tt.disturb)
			if have := kinds(apply(t, m, wish())); !slices.Equal(have, tt.want) {
				t.Errorf("repaired %v, want %v", have, tt.want)
			}
			if again := apply(t, m, wish()); len(again) > 0 {
				t.Errorf("still repaired %v", again)
			}
		})
	}
}

// testExposed has forwarding turned off, and the policy opened, after the facts were read that
// the wish is made of: turning it on again would open Docker's containers to strangers.
func testExposed(t *testing.T, machine func(t *testing.T) Machine) {
	m := machine(t)
	m.Disturb(StartDocker)
	apply(t, m, wish())
	m.Disturb(OpenPolicy)
	m.Disturb(ForwardingOff)
	if have := apply(t, m, wish()); len(have) > 0 {
		t.Errorf("repaired %v, want nothing", have)
	}
	m.Disturb(ClosePolicy)
	if have := kinds(apply(t, m, wish())); !slices.Equal(have, []host.Kind{host.KindForwarding}) {
		t.Errorf("repaired %v, want forwarding", have)
	}
}

func testRestore(t *testing.T, machine func(t *testing.T) Machine) {
	for _, tt := range []struct {
		name          string
		before, after []Disturbance
	}{
		{"bare", nil, nil},
		{"with Docker", []Disturbance{StartDocker}, nil},
		{"half gone", []Disturbance{StartDocker}, []Disturbance{LoseSource, DestroySets}},
		{"forwarding before", []Disturbance{StartDocker, ForwardingOn, LinkOff, StrictFilter}, nil},
		{"strict", []Disturbance{StartDocker, ShieldDocker, StrictFilter}, nil},
		{"file gone", []Disturbance{StrictFilter}, []Disturbance{LoseFile}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(t)
			for _, d := range tt.before {
				m.Disturb(d)
			}
			before := m.Dump()
			apply(t, m, wish())
			for _, d := range tt.after {
				m.Disturb(d)
			}
			fresh := m.Restart()
			if undone := restore(t, fresh); len(undone) == 0 {
				t.Error("nothing was undone")
			}
			if diff := cmp.Diff(before, m.Dump()); diff != "" {
				t.Errorf("not as before (-before +after):\n%s", diff)
			}
			if again := restore(t, fresh); len(again) > 0 {
				t.Errorf("undone twice: %v", again)
			}
		})
	}
	t.Run("Docker came later", func(t *testing.T) {
		m := machine(t)
		apply(t, m, wish())
		m.Disturb(StartDocker)
		apply(t, m, wish())
		restore(t, m)
		if dump := m.Dump(); strings.Contains(strings.ToLower(dump), "sealane") || !strings.Contains(dump, "DOCKER-USER") {
			t.Errorf("something of ours is left, or something of Docker's is not:\n%s", dump)
		}
	})
	t.Run("untouched", func(t *testing.T) {
		if undone := restore(t, machine(t)); len(undone) > 0 {
			t.Errorf("undone on an untouched machine: %v", undone)
		}
	})
}

func testWishes(t *testing.T, machine func(t *testing.T) Machine) {
	t.Run("a host comes and goes", func(t *testing.T) {
		m := machine(t)
		apply(t, m, wish())
		before := m.Dump()
		more := wish()
		more.Remotes = append(more.Remotes, netip.MustParsePrefix("10.2.0.0/24"))
		if have := kinds(apply(t, m, more)); !slices.Equal(have, []host.Kind{host.KindSet}) {
			t.Errorf("repaired %v, want one set", have)
		}
		if !strings.Contains(m.Dump(), "10.2.0.0/24") {
			t.Error("the new subnet is nowhere")
		}
		apply(t, m, wish())
		if diff := cmp.Diff(before, m.Dump()); diff != "" {
			t.Errorf("not as before (-before +after):\n%s", diff)
		}
	})
	t.Run("alone", func(t *testing.T) {
		m := machine(t)
		alone := host.Wish{Uplink: "eth0", Locals: wish().Locals}
		apply(t, m, alone)
		if again := apply(t, m, alone); len(again) > 0 {
			t.Errorf("applied twice, the second time repaired %v", again)
		}
		f, err := m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2"))
		if err != nil || f.Forwarding {
			t.Errorf("forwarding turned on without a wish, or %v", err)
		}
	})
	t.Run("sources", func(t *testing.T) {
		m := machine(t)
		masked := wish()
		masked.Keep = nil
		apply(t, m, masked)
		before := m.Dump()
		if have := kinds(apply(t, m, wish())); !slices.Equal(have, []host.Kind{host.KindSource}) {
			t.Errorf("repaired %v, want the source", have)
		}
		apply(t, m, masked)
		if diff := cmp.Diff(before, m.Dump()); diff != "" {
			t.Errorf("not as before (-before +after):\n%s", diff)
		}
	})
	t.Run("both families", func(t *testing.T) {
		m := machine(t)
		apply(t, m, wish())
		before := m.Dump()
		both, six := wish(), netip.MustParsePrefix("fd00:0:0:1::/64")
		both.Locals = append(both.Locals, host.Local{Prefix: netip.MustParsePrefix("fd00::/64"), Bridge: "docker0"})
		both.KeepFrom = append(both.KeepFrom, netip.MustParsePrefix("fd00::/64"))
		both.Remotes = append(both.Remotes, six)
		for _, keep := range [][]netip.Prefix{append(wish().Keep, six), {six}, wish().Keep} {
			both.Keep = keep
			apply(t, m, both)
			f, err := m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2"))
			if err != nil || !slices.Equal(f.Kept, keep) {
				t.Errorf("kept toward %v, want %v; %v", f.Kept, keep, err)
			}
			if again := apply(t, m, both); len(again) > 0 {
				t.Errorf("applied twice, the second time repaired %v", again)
			}
		}
		restore(t, m)
		if after := m.Dump(); strings.Contains(after, "fd00:") || strings.Contains(before, "fd00:") {
			t.Errorf("something of IPv6 is left:\n%s", after)
		}
	})
	t.Run("incomplete", func(t *testing.T) {
		m := machine(t)
		apply(t, m, wish())
		before := m.Dump()
		little := host.Wish{Uplink: "eth0", Incomplete: true}
		if repairs := apply(t, m, little); len(repairs) > 0 {
			t.Errorf("repaired %v, want nothing taken away", repairs)
		}
		if diff := cmp.Diff(before, m.Dump()); diff != "" {
			t.Errorf("not as before (-before +after):\n%s", diff)
		}
		little.Remotes = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}
		apply(t, m, little)
		if dump := m.Dump(); !strings.Contains(dump, "10.9.0.0/24") || !strings.Contains(dump, "10.1.0.0/24") {
			t.Errorf("not both the old and the new subnet:\n%s", dump)
		}
	})
	t.Run("no uplink", func(t *testing.T) {
		m := machine(t)
		before := m.Dump()
		none := wish()
		none.Uplink, none.Forward = "", false
		if out := m.Apply(t.Context(), none); out.Failures[host.PartRules] == nil || len(out.Repairs) > 0 {
			t.Errorf("outcome %+v, want an error and no repairs", out)
		}
		if diff := cmp.Diff(before, m.Dump()); diff != "" {
			t.Errorf("changed (-before +after):\n%s", diff)
		}
		none.Forward = true
		out := m.Apply(t.Context(), none)
		if have := kinds(out.Repairs); out.Failures[host.PartRules] == nil || out.Failures[host.PartForwarding] != nil || !slices.Equal(have, []host.Kind{host.KindForwarding}) {
			t.Errorf("outcome %+v, want forwarding turned on and an error for the rules", out)
		}
		if f, err := m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2")); err != nil || !f.Forwarding {
			t.Errorf("forwarding is off, or %v", err)
		}
	})
	t.Run("kept", func(t *testing.T) {
		m := machine(t)
		for _, want := range [][]netip.Prefix{nil, wish().Keep} {
			w := wish()
			w.Keep = want
			apply(t, m, w)
			f, err := m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2"))
			if err != nil || !slices.Equal(f.Kept, want) {
				t.Errorf("kept toward %v, want %v; %v", f.Kept, want, err)
			}
		}
	})
}

func apply(t *testing.T, s Subject, w host.Wish) []host.Repair {
	t.Helper()
	out := s.Apply(t.Context(), w)
	if err := out.Err(); err != nil {
		t.Fatalf("apply: %v", err)
	}
	return out.Repairs
}

func restore(t *testing.T, s Subject) []host.Repair {
	t.Helper()
	undone, err := s.Restore(t.Context())
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	return undone
}

// kinds are the kinds of the repairs, sorted, each once.
func kinds(repairs []host.Repair) []host.Kind {
	var ks []host.Kind
	for _, r := range repairs {
		ks = append(ks, r.Kind)
	}
	slices.Sort(ks)
	return slices.Compact(ks)
}
