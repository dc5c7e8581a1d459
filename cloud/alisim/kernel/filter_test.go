package kernel_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"

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

// nft opens the tables of a namespace.
func nft(t *testing.T, v namespace) *nftables.Conn {
	t.Helper()
	conn, err := nftables.New(nftables.WithNetNSFd(int(v.ns)))
	must(t, err)
	return conn
}

// tablesOf lists our tables.
func tablesOf(t *testing.T, conn *nftables.Conn) []*nftables.Table {
	t.Helper()
	all, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	must(t, err)
	return slices.DeleteFunc(all, func(n *nftables.Table) bool { return n.Name != kernel.TableName })
}

// lines counts the rules of our table, by chain.
func lines(t *testing.T, v namespace) map[string]int {
	t.Helper()
	conn := nft(t, v)
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
	must(t, err)
	count := map[string]int{}
	for _, c := range chains {
		if c.Table.Name != kernel.TableName {
			t.Errorf("chain %s is in table %s", c.Name, c.Table.Name)
		}
		rules, err := conn.GetRules(c.Table, c)
		must(t, err)
		count[c.Name] = len(rules)
	}
	return count
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
	if got := lines(t, v); fmt.Sprint(got) != fmt.Sprint(few) || len(got) != 5 {
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

func TestTableIsOursAndIsKept(t *testing.T) {
	v, one, _, sim := routed(t)
	foreign := nft(t, v)
	foreign.AddTable(&nftables.Table{Name: "foreign", Family: nftables.TableFamilyIPv4})
	must(t, foreign.Flush())
	must(t, sim.SetSourceDestCheck("i-1", true))
	blocked := func() bool { return !answers(t, one, "172.20.1.1", "172.20.2.1") }
	eventually(t, "the check is on", blocked)
	for what, harm := range map[string]func(*nftables.Conn, *nftables.Table){
		"flushed": (*nftables.Conn).FlushTable,
		"deleted": (*nftables.Conn).DelTable,
	} {
		conn := nft(t, v)
		harm(conn, &nftables.Table{Name: kernel.TableName, Family: nftables.TableFamilyINet})
		must(t, conn.Flush())
		eventually(t, "the table is back after it was "+what, blocked)
	}
	if found, err := nft(t, v).ListTablesOfFamily(nftables.TableFamilyIPv4); err != nil || len(found) != 1 {
		t.Errorf("tables of others: %v, %v", found, err)
	}
}

// TestNothingIsDoneTwice: what is as it should be is not written again, in either family.
func TestNothingIsDoneTwice(t *testing.T) {
	v := newVPC(t)
	seed := alisim.Example()
	seed.VPCs[0].IPv6, seed.VPCs[0].VSwitches[0].IPv6 = netip.MustParsePrefix("fd00::/56"), netip.MustParsePrefix("fd00::/64")
	seed.Instances[0].IPv6, seed.Instances[0].SourceDestCheck = addrs("fd00::11"), true
	plugAll(t, v, "p1", []string{"192.168.0.11", "fd00::11"}, nil)
	sim, err := alisim.New(seed, alisim.Options{})
	must(t, err)
	for _, r := range []struct{ destination, hop string }{{"172.20.0.0/24", "i-1"}, {"fd20::/64", "i-1"}, {"fd21::/64", "i-2"}, {"::/0", "i-1"}} {
		must(t, sim.AddRoute("vtb-1", alisim.Route{Destination: netip.MustParsePrefix(r.destination), NextHop: r.hop}))
	}
	var log strings.Builder
	pass := kernel.Passes(v.ns, v.handle, slog.New(slog.NewTextHandler(&log, nil)))
	ports := map[string]kernel.Port{"i-1": {Link: "p1"}}
	must(t, pass(sim.Snapshot(), ports))
	if done := strings.Count(log.String(), "\n"); done < 10 {
		t.Errorf("the first pass did only:\n%s", log.String())
	}
	log.Reset()
	must(t, pass(sim.Snapshot(), ports))
	if log.Len() > 0 {
		t.Errorf("done again:\n%s", log.String())
	}
	for _, d := range []string{"fd20::/64", "::/0"} {
		must(t, sim.RemoveRoute("vtb-1", netip.MustParsePrefix(d)))
	}
	must(t, pass(sim.Snapshot(), ports))
	if done := strings.Count(log.String(), " route\" "); done != 2 {
		t.Errorf("two routes were removed, one of them from under the last word:\n%s", log.String())
	}
}
