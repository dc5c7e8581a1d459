package machine_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host/machine"
)

// TestDump: every table of nftables is read, whatever its name and flags, and what cannot be
// read is said.
func TestDump(t *testing.T) {
	needRoot(t)
	const drops = " { chain forward { type filter hook forward priority 0; policy drop; }; }"
	asleep := strings.Replace(drops, "{", "{ flags dormant;", 1)
	for _, tt := range []struct {
		name, rules string
		without     bool // the command nft
		by          string
		unproven    string
	}{
		{"nothing", "true", true, "", ""},
		{"iptables only", "iptables-nft -A FORWARD -s 10.9.0.0/16 -j DROP", true, "", ""},
		{"a table of the family inet with a name of iptables", "nft 'table inet filter" + drops + "'", false, "table inet filter, chain forward, policy DROP", ""},
		{"a chain of nft's in a table of iptables", "iptables-nft -P FORWARD ACCEPT; nft 'table ip filter" + drops + "'", false, "table ip filter, chain forward, policy DROP", ""},
		{"a table that is asleep", "nft 'table inet fw" + asleep + "'", false, "", ""},
		{"a table asleep beside one that is not", "nft 'table inet fw" + asleep + "'; nft 'table inet other" + drops + "'", false, "table inet other", ""},
		{"without nft", "nft 'table inet filter" + drops + "'", true, "", "nft is not installed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			namespace(t)
			shell(t, tt.rules)
			if tt.without {
				t.Setenv("PATH", pathWithout(t, "nft"))
			}
			d, err := machine.New(machine.Options{StateDir: t.TempDir()}).Rules(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r, err := firewall.Parse(d)
			if err != nil {
				t.Fatal(err)
			}
			v := r.Forward(firewall.Packet{In: "eth0", Out: "docker0", Src: netip.MustParseAddr("10.2.0.2"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "tcp", DstPort: 80})
			if got := v.By.String(); v.Dropped != (tt.by != "") || !strings.Contains(got, tt.by) {
				t.Errorf("dropped %v by %s, want %q", v.Dropped, got, tt.by)
			}
			if got := strings.Join(r.Unproven(), "; "); (got == "") != (tt.unproven == "") || !strings.Contains(got, tt.unproven) {
				t.Errorf("unproven %q, want %q", got, tt.unproven)
			}
		})
	}
}

// TestDumpOfSets: the members of a set that rules match are read, and one with exceptions or with
// addresses by a mask is called unknown: its rule is then not understood.
func TestDumpOfSets(t *testing.T) {
	needRoot(t)
	for _, tt := range []struct {
		name, set string
		dropped   bool
		unsure    bool
	}{
		{"subnets", "ipset create s hash:net; ipset add s 10.2.0.0/24", true, false},
		{"another subnet", "ipset create s hash:net comment; ipset add s 10.3.0.0/24 comment x", false, false},
		{"addresses", "ipset create s hash:ip timeout 300; ipset add s 10.2.0.2", true, false},
		{"an exception", "ipset create s hash:net; ipset add s 10.0.0.0/8; ipset add s 10.2.0.0/24 nomatch", false, true},
		{"addresses by a mask", "ipset create s hash:ip netmask 24; ipset add s 10.2.0.0", false, true},
		{"pairs", "ipset create s hash:ip,port; ipset add s 10.2.0.2,80", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			namespace(t)
			shell(t, tt.set+"; iptables-nft -A FORWARD -m set --match-set s src -j DROP")
			d, err := machine.New(machine.Options{StateDir: t.TempDir()}).Rules(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r, err := firewall.Parse(d)
			if err != nil {
				t.Fatal(err)
			}
			v := r.Forward(firewall.Packet{In: "eth0", Out: "docker0", Src: netip.MustParseAddr("10.2.0.2"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "tcp", DstPort: 80})
			if v.Dropped != tt.dropped || (len(v.Unsure) > 0) != tt.unsure {
				t.Errorf("dropped %v by %s, unsure of %v", v.Dropped, v.By, v.Unsure)
			}
		})
	}
}

// pathWithout is a folder with the commands that are needed but for one.
func pathWithout(t *testing.T, command string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"iptables", "ip6tables", "iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy", "nft"} {
		if name != command {
			shell(t, "for s in '' -save -restore; do ln -s $(command -v "+name+"$s) "+dir+"/"+name+"$s; done")
		}
	}
	return dir
}
