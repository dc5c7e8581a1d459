package kernel_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/kernel"
)

// container to container, through the example's first two instances.
func routed(t *testing.T) (v, one, two namespace, sim *alisim.Sim) {
	t.Helper()
	v = newVPC(t)
	one = plug(t, v, "p1", "192.168.0.11", "172.20.1.1")
	two = plug(t, v, "p2", "192.168.0.12", "172.20.2.1")
	sim = drive(t, v, alisim.Options{})
	echo(t, one, "192.168.0.11")
	echo(t, two, "172.20.2.1")
	for destination, hop := range map[string]string{"172.20.1.0/24": "i-1", "172.20.2.0/24": "i-2"} {
		must(t, sim.AddRoute("vtb-1", alisim.Route{Destination: netip.MustParsePrefix(destination), NextHop: hop}))
	}
	eventually(t, "container to container", func() bool { return answers(t, one, "172.20.1.1", "172.20.2.1") })
	return v, one, two, sim
}

func TestSourceAndDestinationCheckDropsContainersPackets(t *testing.T) {
	v, one, two, sim := routed(t)
	lo, err := v.handle.LinkByName("lo")
	must(t, err)
	address(t, v.handle, lo, "100.100.100.200")
	echo(t, v, "100.100.100.200")

	must(t, sim.SetSourceDestCheck("i-1", true))
	eventually(t, "a container's packets vanish at its host", func() bool { return !answers(t, one, "172.20.1.1", "172.20.2.1") })
	for _, from := range []string{"192.168.0.11", "172.20.1.1"} {
		if got, want := answers(t, one, from, "100.100.100.200"), from == "192.168.0.11"; got != want {
			t.Errorf("%s reaches the metadata service: %t", from, got)
		}
	}
	if !answers(t, one, "192.168.0.11", "172.20.2.1") {
		t.Error("a masqueraded packet is dropped too")
	}
	if !answers(t, two, "192.168.0.12", "192.168.0.11") {
		t.Error("hosts do not reach each other")
	}
	must(t, sim.SetSourceDestCheck("i-1", false))
	eventually(t, "switched off it works again", func() bool { return answers(t, one, "172.20.1.1", "172.20.2.1") })
	must(t, sim.SetSourceDestCheck("i-2", true))
	eventually(t, "a container's packets vanish before the other host", func() bool { return !answers(t, one, "172.20.1.1", "172.20.2.1") })
	if answers(t, one, "192.168.0.11", "172.20.2.1") {
		t.Error("what goes to a container passes its host's check")
	}
}

func TestSecurityGroupDecides(t *testing.T) {
	_, one, two, sim := routed(t)
	hold := talk(t, one, two, "172.20.1.1", "172.20.2.1")
	group := sim.Snapshot().VPCs[0].SecurityGroups[0]
	closed := group
	closed.Ingress = nil
	must(t, sim.SetSecurityGroup("vpc-1", closed))
	eventually(t, "what no rule admits is dropped", func() bool { return !answers(t, one, "172.20.1.1", "172.20.2.1") })
	if !answers(t, one, "192.168.0.11", "172.20.2.1") {
		t.Error("a member of a normal group does not reach another")
	}
	hold("the rule is gone")
	closed.InnerAccess = "Drop"
	must(t, sim.SetSecurityGroup("vpc-1", closed))
	eventually(t, "without inner access members are strangers", func() bool { return !answers(t, one, "192.168.0.11", "172.20.2.1") })
	must(t, sim.SetSecurityGroup("vpc-1", group))
	eventually(t, "with the rule it works again", func() bool { return answers(t, one, "172.20.1.1", "172.20.2.1") })
	hold("the rule is back")
}

// talk opens a TCP connection and returns a way to tell that it still works.
func talk(t *testing.T, from, to namespace, source, destination string) func(when string) {
	t.Helper()
	var ln *net.TCPListener
	must(t, to.do(func() (err error) {
		ln, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.ParseIP(destination)})
		return err
	}))
	defer func() { _ = ln.Close() }()
	var near *net.TCPConn
	must(t, from.do(func() (err error) {
		near, err = net.DialTCP("tcp4", &net.TCPAddr{IP: net.ParseIP(source)}, ln.Addr().(*net.TCPAddr))
		return err
	}))
	far, err := ln.AcceptTCP()
	must(t, err)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return func(when string) {
		t.Helper()
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			must(t, pair[1].SetReadDeadline(time.Now().Add(5*time.Second)))
			_, err := pair[0].Write([]byte("x"))
			if err == nil {
				_, err = pair[1].Read(make([]byte, 1))
			}
			if err != nil {
				t.Errorf("an open connection broke: %s: %v", when, err)
			}
		}
	}
}

func TestRulesDoNotGrowWithHosts(t *testing.T) {
	v := newVPC(t)
	seed := alisim.Example()
	group := &seed.VPCs[0].SecurityGroups[0]
	group.Ingress = append(group.Ingress, alisim.Rule{Group: "sg-1", Protocol: "TCP", Ports: "80/80"})
	many, err := alisim.New(seed, alisim.Options{})
	must(t, err)
	ports := map[string]kernel.Port{"i-1": {Link: "p1"}}
	must(t, kernel.Pass(v.ns, v.handle, many.Snapshot(), ports))
	few := lines(t, v)
	for n := range 1500 {
		ip := netip.AddrFrom4([4]byte{192, 168, byte(1 + n/250), byte(n % 250)})
		id := fmt.Sprint("i-x", n)
		must(t, many.AddInstance(alisim.Instance{ID: id, VSwitch: "vsw-1", IP: ip, SecurityGroups: []string{"sg-1"}}))
		ports[id] = kernel.Port{Link: fmt.Sprint("x", n)}
	}
	world := many.Snapshot()
	must(t, kernel.Pass(v.ns, v.handle, world, ports))
	if got := lines(t, v); fmt.Sprint(got) != fmt.Sprint(few) || len(got) != 6 {
		t.Errorf("rules of 1500 hosts: %v, of three: %v", got, few)
	}

	// As many as the groups of one interface may have.
	world.VPCs[0].SecurityGroups[0].Ingress = nil
	for n := range 1000 {
		world.VPCs[0].SecurityGroups[0].Ingress = append(world.VPCs[0].SecurityGroups[0].Ingress,
			alisim.Rule{Source: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n / 250), byte(n % 250), 0}), 24), Protocol: "TCP", Ports: "80/80", Policy: "Accept"})
	}
	must(t, kernel.Pass(v.ns, v.handle, world, ports))
	if got := lines(t, v)["ingress-0"]; got != 1002 {
		t.Errorf("%d rules in the chain of a group of 1000", got)
	}
}
