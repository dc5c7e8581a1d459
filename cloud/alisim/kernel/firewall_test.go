package kernel_test

import (
	"log/slog"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/kernel"
)

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

// TestEachHarmIsMended: whatever part of the table somebody changes, the next pass makes it
// what it was, and the one after that finds nothing to do.
func TestEachHarmIsMended(t *testing.T) {
	v := newVPC(t)
	seed := twoVPCs(false)
	seed.Instances[0].SourceDestCheck = true
	group := &seed.VPCs[0].SecurityGroups[0]
	group.Ingress = append(group.Ingress, alisim.Rule{Group: "sg-1", Protocol: "TCP", Ports: "80/80"})
	sim, err := alisim.New(seed, alisim.Options{})
	must(t, err)
	ports := map[string]kernel.Port{"i-1": {Link: "p1"}, "i-2": {Link: "p2"}, "i-o": {Link: "po"}, "i-gone": {Link: "p9"}}
	var log strings.Builder
	pass := kernel.Passes(v.ns, v.handle, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, pass(sim.Snapshot(), ports))
	whole := contents(t, v)
	if len(whole) < 15 {
		t.Fatalf("the table has only %v", whole)
	}
	for part, size := range whole {
		if size == 0 {
			continue
		}
		harm(t, v, part)
		if got := contents(t, v)[part]; got >= size {
			t.Errorf("%s still has %d of %d", part, got, size)
		}
		must(t, pass(sim.Snapshot(), ports))
		if got := contents(t, v); !maps.Equal(got, whole) {
			t.Errorf("after %s was emptied: %v, want %v", part, got, whole)
		}
		log.Reset()
		must(t, pass(sim.Snapshot(), ports))
		if log.Len() > 0 {
			t.Errorf("done again:\n%s", log.String())
		}
	}
}

// TestTableCanBeListed: who looks for a lost packet lists the table with nft, which does not
// understand all that the kernel does.
func TestTableCanBeListed(t *testing.T) {
	v := newVPC(t)
	tool, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("needs nft: lists the table")
	}
	sim, err := alisim.New(twoVPCs(true), alisim.Options{})
	must(t, err)
	must(t, kernel.Pass(v.ns, v.handle, sim.Snapshot(), map[string]kernel.Port{"i-1": {Link: "p1"}, "i-o": {Link: "po"}}))
	must(t, v.do(func() error {
		out, err := exec.CommandContext(t.Context(), tool, "list", "table", "inet", kernel.TableName).CombinedOutput()
		if !strings.Contains(string(out), "iifname vmap @vpc") {
			t.Errorf("the border is not in the list:\n%s", out)
		}
		return err
	}))
}

// contents counts the rules of each chain of our table and the elements of each set.
func contents(t *testing.T, v namespace) map[string]int {
	t.Helper()
	conn := nft(t, v)
	sizes := map[string]int{}
	for name, rules := range lines(t, v) {
		sizes["chain "+name] = rules
	}
	for _, table := range tablesOf(t, conn) {
		sets, err := conn.GetSets(table)
		must(t, err)
		for _, s := range sets {
			elements, err := conn.GetSetElements(s)
			must(t, err)
			sizes["set "+s.Name] = len(elements)
		}
	}
	return sizes
}

// harm empties a chain or a set of our table.
func harm(t *testing.T, v namespace, part string) {
	t.Helper()
	conn := nft(t, v)
	table := tablesOf(t, conn)[0]
	kind, name, _ := strings.Cut(part, " ")
	if kind == "chain" {
		conn.FlushChain(&nftables.Chain{Name: name, Table: table})
	} else {
		conn.FlushSet(&nftables.Set{Name: name, Table: table})
	}
	must(t, conn.Flush())
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
