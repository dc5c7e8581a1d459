package kernel_test

import (
	"net/netip"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/kernel"
)

// TestNothingPassesAPortWithoutARunningInstance: a machine that is stopped, or that the cloud
// took away, is not heard of again, though its namespace is still plugged in.
func TestNothingPassesAPortWithoutARunningInstance(t *testing.T) {
	for what, harm := range map[string]func(*alisim.Sim) error{
		"stopped":   func(s *alisim.Sim) error { return s.SetStatus("i-2", alisim.Stopped) },
		"reclaimed": func(s *alisim.Sim) error { return s.ReclaimInstance("i-2") },
		"removed":   func(s *alisim.Sim) error { return s.RemoveInstance("i-2") },
	} {
		t.Run(what, func(t *testing.T) {
			v := newVPC(t)
			one, two := plug(t, v, "p1", "192.168.0.11"), plug(t, v, "p2", "192.168.0.12")
			manager := plug(t, v, "vm", "192.168.15.10") // no instance, and no port
			lo, err := v.handle.LinkByName("lo")
			must(t, err)
			address(t, v.handle, lo, "100.100.100.200")
			echo(t, v, "100.100.100.200")
			echo(t, one, "192.168.0.11")
			echo(t, two, "192.168.0.12")
			echo(t, manager, "192.168.15.10")

			seed := alisim.Example()
			open := &seed.VPCs[0].SecurityGroups[0]
			open.Ingress = append(open.Ingress, alisim.Rule{Source: netip.MustParsePrefix("0.0.0.0/0")})
			sim, err := alisim.New(seed, alisim.Options{})
			must(t, err)
			ports := map[string]kernel.Port{"i-1": {Link: "p1"}, "i-2": {Link: "p2"}, "i-3": {Link: "p3"}}
			pass := func() { must(t, kernel.Pass(v.ns, v.handle, sim.Snapshot(), ports)) }
			ways := []struct {
				from   namespace
				ip, to string
				still  bool // after the harm
			}{
				{one, "192.168.0.11", "192.168.0.12", false},
				{two, "192.168.0.12", "192.168.0.11", false},
				{two, "192.168.0.12", "100.100.100.200", false},
				{v, "100.100.100.200", "192.168.0.12", false},
				{manager, "192.168.15.10", "192.168.0.12", false},
				{manager, "192.168.15.10", "192.168.0.11", true},
				{one, "192.168.0.11", "100.100.100.200", true},
			}
			pass()
			for _, w := range ways {
				eventually(t, w.ip+" reaches "+w.to, func() bool { return answers(t, w.from, w.ip, w.to) })
			}
			hold := talk(t, one, manager, "192.168.0.11", "192.168.15.10")
			must(t, harm(sim))
			pass()
			for _, w := range ways {
				if w.still {
					eventually(t, w.ip+" still reaches "+w.to, func() bool { return answers(t, w.from, w.ip, w.to) })
				} else if answers(t, w.from, w.ip, w.to) {
					t.Errorf("%s reaches %s", w.ip, w.to)
				}
			}
			hold("another instance is gone")
			if what != "stopped" {
				return
			}
			must(t, sim.SetStatus("i-2", alisim.Running))
			pass()
			for _, w := range ways {
				eventually(t, w.ip+" reaches "+w.to+" again", func() bool { return answers(t, w.from, w.ip, w.to) })
			}
		})
	}
}

// TestPortWaitsForItsInstance: the instance may be known after its port is.
func TestPortWaitsForItsInstance(t *testing.T) {
	v := newVPC(t)
	one, late := plug(t, v, "p1", "192.168.0.11"), plug(t, v, "p9", "192.168.0.19")
	echo(t, one, "192.168.0.11")
	sim, err := alisim.New(alisim.Example(), alisim.Options{})
	must(t, err)
	ports := map[string]kernel.Port{"i-1": {Link: "p1"}, "i-9": {Link: "p9"}}
	must(t, kernel.Pass(v.ns, v.handle, sim.Snapshot(), ports))
	if answers(t, late, "192.168.0.19", "192.168.0.11") {
		t.Error("a port passes packets before its instance is there")
	}
	must(t, sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.19"), SecurityGroups: []string{"sg-1"}}))
	must(t, kernel.Pass(v.ns, v.handle, sim.Snapshot(), ports))
	eventually(t, "with its instance it does", func() bool { return answers(t, late, "192.168.0.19", "192.168.0.11") })
}
