package firewall

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The hosts of the captures, from the captured one's view.
var (
	hostB      = netip.MustParseAddr("192.168.1.11") // the captured one, uplink eth0
	hostA      = netip.MustParseAddr("192.168.1.12")
	containerA = netip.MustParseAddr("10.2.0.2")
	outsider   = netip.MustParseAddr("192.168.2.50") // a machine outside the cluster
)

// fixture is one captured host: ENGINE-BACKEND-STATE.
type fixture struct {
	name, engine, backend, state string
	rules                        *Ruleset
	bridges                      []bridge
}

type bridge struct {
	name       string
	internal   bool
	subnet     netip.Prefix
	address    netip.Addr // of the host on it
	containers []netip.Addr
	over6      []netip.Addr // their IPv6 addresses
}

// free is an address of the subnet that no container has.
func (b bridge) free() netip.Addr {
	a := b.address
	for range 98 {
		a = a.Next()
	}
	return a
}

// fixtures are the captures, read.
func fixtures(t testing.TB) []fixture {
	t.Helper()
	all := captured(t)
	for i, f := range all {
		all[i].bridges = f.inspect(t)
		all[i].rules = all[i].parse(t)
	}
	return all
}

// captured are the captures, not read yet.
func captured(t testing.TB) []fixture {
	t.Helper()
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`^(\d+\.\d+\.\d+)-(iptables|legacy|nftables)-(.+)$`)
	var all []fixture
	for _, d := range dirs {
		m := pattern.FindStringSubmatch(d.Name())
		if m == nil {
			continue
		}
		f := fixture{name: m[0], engine: m[1], backend: m[2], state: m[3]}
		all = append(all, f)
	}
	if len(all) != 132 {
		t.Fatalf("%d fixtures, want 132", len(all))
	}
	return all
}

func (f fixture) read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", f.name, file))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

func (f fixture) parse(t testing.TB) *Ruleset {
	t.Helper()
	r, err := Parse(f.dump(t))
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return r
}

func (f fixture) dump(t testing.TB) Dump {
	t.Helper()
	d := Dump{Ruleset: f.read(t, "nft-ruleset.json"), Sets: f.sets()}
	v4, v6 := f.read(t, "iptables-save.txt"), f.read(t, "ip6tables-save.txt")
	if f.backend == "legacy" {
		d.Legacy, d.Legacy6 = v4, v6
	} else {
		d.NFT, d.NFT6 = v4, v6
	}
	return d
}

// sets are the ipsets of Docker 28.0.0, of which no listing was captured: the subnets of the
// bridges that are not internal.
func (f fixture) sets() map[string][]netip.Prefix {
	sets := map[string][]netip.Prefix{"docker-ext-bridges-v4": nil, "docker-ext-bridges-v6": nil}
	for _, b := range f.bridges {
		if !b.internal {
			sets["docker-ext-bridges-v4"] = append(sets["docker-ext-bridges-v4"], b.subnet)
		}
	}
	return sets
}

// inspect reads the bridges from Docker's own account of its networks.
func (f fixture) inspect(t testing.TB) []bridge {
	t.Helper()
	var networks []struct {
		ID, Driver string
		Internal   bool
		Options    map[string]string
		IPAM       struct{ Config []struct{ Subnet string } }
		Containers map[string]struct{ IPv4Address, IPv6Address string }
	}
	text := f.read(t, "network-inspect.json")
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &networks); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	var all []bridge
	for _, n := range networks {
		if n.Driver != "bridge" {
			continue
		}
		b := bridge{name: n.Options["com.docker.network.bridge.name"], internal: n.Internal}
		if b.name == "" {
			b.name = "br-" + n.ID[:12]
		}
		b.subnet = netip.MustParsePrefix(n.IPAM.Config[0].Subnet)
		b.address = b.subnet.Addr().Next()
		for _, c := range n.Containers {
			b.containers = append(b.containers, netip.MustParsePrefix(c.IPv4Address).Addr())
			if c.IPv6Address != "" {
				b.over6 = append(b.over6, netip.MustParsePrefix(c.IPv6Address).Addr())
			}
		}
		f.checkAddress(t, b)
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b bridge) int { return a.subnet.Addr().Compare(b.subnet.Addr()) })
	return all
}

// checkAddress compares a bridge with the kernel's account; an isolated one has no address.
func (f fixture) checkAddress(t testing.TB, b bridge) {
	t.Helper()
	want := netip.PrefixFrom(b.address, b.subnet.Bits()).String()
	for line := range strings.Lines(f.read(t, "ip-addr.txt")) {
		if words := strings.Fields(line); words[0] == b.name && words[2] == want {
			return
		}
	}
	if f.state != "gw-isolated" {
		t.Fatalf("%s: %s has no address %s", f.name, b.name, want)
	}
}
