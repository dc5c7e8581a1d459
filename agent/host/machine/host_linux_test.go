package machine_test

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/hosttest"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
)

func TestHost(t *testing.T) {
	needRoot(t)
	hosttest.Run(t, namespace)
}

// TestHostLegacy is the same with the plain commands being those of the legacy variant.
func TestHostLegacy(t *testing.T) {
	needRoot(t)
	path := t.TempDir()
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore"} {
		legacy, err := exec.LookPath(strings.Replace(name, "iptables", "iptables-legacy", 1))
		if err != nil {
			t.Skip("needs the legacy variant of iptables")
		}
		if err := os.Symlink(legacy, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", path+":"+os.Getenv("PATH"))
	hosttest.Run(t, func(t *testing.T) hosttest.Machine {
		m := namespace(t)
		// The kernel keeps a legacy table for good once somebody asked for it.
		shell(t, "iptables -S; iptables -t raw -S; iptables -t nat -S")
		return m
	})
}

// TestUplink has two interfaces to choose from, by their addresses.
func TestUplink(t *testing.T) {
	needRoot(t)
	m := namespace(t)
	shell(t, "ip link set eth0 address 02:00:00:00:00:11; ip link add eth1 address 02:00:00:00:00:12 type veth peer name wire1; ip addr add 192.168.1.2/24 dev eth1")
	for _, tt := range [][3]string{
		{"192.168.0.2", "eth0", "02:00:00:00:00:11"}, {"192.168.1.2", "eth1", "02:00:00:00:00:12"}, {"127.0.0.1", "lo", ""}, {"192.168.2.2", "", ""},
	} {
		f, err := m.Facts(t.Context(), netip.MustParseAddr(tt[0]))
		if err != nil || f.Uplink != tt[1] || f.UplinkMAC != tt[2] {
			t.Errorf("uplink with %s is %q, %q, %v; want %q, %q", tt[0], f.Uplink, f.UplinkMAC, err, tt[1], tt[2])
		}
	}
}

// TestForeignSet has somebody else own a set of the name of ours.
func TestForeignSet(t *testing.T) {
	needRoot(t)
	m := namespace(t)
	shell(t, "ipset create sealane-local hash:ip; ipset create sealane-peers hash:net")
	if _, err := m.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sets := shell(t, "ipset -n list"); strings.TrimSpace(sets) != "sealane-local" {
		t.Errorf("sets %q, want the foreign one only", sets)
	}
	if out := m.Apply(t.Context(), host.Wish{Uplink: "eth0"}); !errors.Is(out.Failures[host.PartRules], api.ErrRefused) {
		t.Errorf("used a foreign set: %v", out.Err())
	}
}

// TestOtherVariantDrops has the variant that is not in use drop what is forwarded.
func TestOtherVariantDrops(t *testing.T) {
	needRoot(t)
	for _, tool := range []string{"iptables-nft", "iptables-legacy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	for _, tt := range []struct{ docker, other host.Variant }{{host.NFT, host.Legacy}, {host.Legacy, host.NFT}} {
		t.Run(string(tt.other), func(t *testing.T) {
			m := namespace(t)
			want := func(blocked host.Variant) {
				t.Helper()
				f, err := m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2"))
				if err != nil || f.Variant != tt.docker || f.Blocked != blocked {
					t.Errorf("Docker uses %q, blocked by %q, want %q and %q; %v", f.Variant, f.Blocked, tt.docker, blocked, err)
				}
			}
			shell(t, "iptables-"+string(tt.docker)+" -N DOCKER; iptables-"+string(tt.docker)+" -P FORWARD DROP")
			want("")
			shell(t, "iptables-"+string(tt.other)+" -P FORWARD DROP")
			want(tt.other)
			shell(t, "iptables-"+string(tt.other)+" -P FORWARD ACCEPT")
			want("")
		})
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	for _, tool := range []string{"iptables", "iptables-save", "nft", "ipset", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
}

// namespace moves the test's thread into a network namespace of its own. The thread ends
// with the test, since it stays locked, and the namespace with it.
func namespace(t *testing.T) hosttest.Machine {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	shell(t, `
		ip link set lo up
		ip link add eth0 type veth peer name wire
		ip addr add 192.168.0.2/24 dev eth0
		ip link set eth0 up
		ip link add docker0 type bridge
		ip addr add 10.0.0.1/24 dev docker0
		ip link set docker0 up
		cd /proc/sys/net
		echo 0 > ipv4/ip_forward
		for link in all default eth0 docker0; do
			echo 0 > ipv4/conf/$link/rp_filter
			echo 1 > ipv6/conf/$link/accept_ra
		done`)
	opts := machine.Options{StateDir: t.TempDir(), SysctlDir: t.TempDir()}
	return hosttest.Machine{
		Subject: machine.New(opts),
		Restart: func() hosttest.Subject { return machine.New(opts) },
		Dump:    func() string { return dump(t) + shell(t, "cd "+opts.SysctlDir+" && grep -r . . || true") },
		Disturb: func(d hosttest.Disturbance) { shell(t, "cd "+opts.SysctlDir+"\n"+script(t, d)) },
	}
}

func script(t *testing.T, d hosttest.Disturbance) string {
	t.Helper()
	switch d {
	case hosttest.GetAhead:
		return `
			iptables -I DOCKER-USER 1 -s 203.0.113.1 -j RETURN
			iptables -t raw -I PREROUTING 1 -s 203.0.113.1 -j RETURN`
	case hosttest.ForwardingOff:
		return `echo 0 > /proc/sys/net/ipv4/ip_forward`
	case hosttest.ForwardingOn:
		return `echo 1 > /proc/sys/net/ipv4/ip_forward`
	case hosttest.LinkOff:
		return `echo 0 > /proc/sys/net/ipv4/conf/docker0/forwarding`
	case hosttest.StrictFilter:
		return `echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter`
	case hosttest.ShieldDocker:
		return `iptables -A DOCKER ! -i docker0 -o docker0 -j DROP`
	case hosttest.LoseFile:
		return `rm 60-sealane.conf`
	case hosttest.DestroySets:
		return `
			iptables -F SEALANE-FWD
			iptables -t raw -F SEALANE-RAW
			ipset destroy sealane-local
			ipset destroy sealane-peers`
	case hosttest.StartDocker: // as Docker 20.10 does it, without its isolation chains
		return `
			iptables -N DOCKER 2>/dev/null || true
			iptables -N DOCKER-USER 2>/dev/null || true
			iptables -A DOCKER-USER -j RETURN
			iptables -A FORWARD -o docker0 -j DOCKER
			iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
			iptables -D FORWARD -j DOCKER-USER 2>/dev/null || true
			iptables -I FORWARD 1 -j DOCKER-USER
			iptables -P FORWARD DROP
			iptables -t nat -N DOCKER 2>/dev/null || true
			iptables -t nat -A POSTROUTING -s 10.0.0.0/24 ! -o docker0 -j MASQUERADE`
	default:
		return string(d)
	}
}

// dump is all that a host may change, without counters, times and the hash sizes of sets.
func dump(t *testing.T) string {
	t.Helper()
	out := shell(t, `
		iptables-save
		nft list ruleset
		ipset save
		cd /proc/sys/net
		grep . ipv4/ip_forward ipv4/conf/*/forwarding ipv4/conf/*/rp_filter ipv4/conf/*/accept_redirects
		grep . ipv6/conf/*/forwarding ipv6/conf/*/accept_ra`)
	out = regexp.MustCompile(`(?m)^#.*$|\[\d+:\d+\]|packets \d+ bytes \d+| hashsize.*$`).ReplaceAllString(out, "")
	return strings.TrimSpace(out)
}

func shell(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// TestVariantChanges has Docker turn up with the other variant: the rules follow, and
// nothing is left behind in the first one.
func TestVariantChanges(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("iptables-legacy"); err != nil {
		t.Skip("needs iptables-legacy")
	}
	m := namespace(t)
	before := shell(t, "nft list ruleset")
	w := host.Wish{
		Uplink: "eth0", Locals: []host.Local{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "docker0"}},
		Remotes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")},
	}
	if err := m.Apply(t.Context(), w).Err(); err != nil {
		t.Fatal(err)
	}
	shell(t, "iptables-legacy -N DOCKER; iptables-legacy -N DOCKER-USER; iptables-legacy -I FORWARD -j DOCKER-USER")
	if err := m.Apply(t.Context(), w).Err(); err != nil {
		t.Fatalf("the change of variant failed: %v", err)
	}
	if rules := shell(t, "iptables-legacy-save; ipset list sealane-peers"); !strings.Contains(rules, "-A SEALANE-FWD") || !strings.Contains(rules, "-j SEALANE-RAW") || !strings.Contains(rules, "10.1.0.0/24") {
		t.Errorf("not all is in place:\n%s", rules)
	}
	if after := shell(t, "nft list ruleset"); after != before {
		t.Errorf("left behind:\n%s", after)
	}
	if again := m.Apply(t.Context(), w); len(again.Repairs) > 0 || again.Err() != nil {
		t.Errorf("applied twice: %+v", again)
	}
}

// TestOldCommands has only the plain commands, as releases before 1.8 come: all of them
// legacy, on a kernel with nftables, and without IPv6.
func TestOldCommands(t *testing.T) {
	needRoot(t)
	path := t.TempDir()
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore"} {
		legacy, err := exec.LookPath(strings.Replace(name, "iptables", "iptables-legacy", 1))
		if err != nil {
			t.Skip("needs the legacy variant of iptables")
		}
		if err := os.Symlink(legacy, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "ip", "ipset", "nft", "sed", "grep"} {
		tool, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("needs %s", name)
		}
		if err := os.Symlink(tool, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", path)
	m := namespace(t)
	shell(t, "iptables -t raw -S; iptables -N DOCKER; iptables -N DOCKER-USER; iptables -I FORWARD -j DOCKER-USER; iptables -P FORWARD DROP")
	before := m.Dump()
	f, err := m.Facts(t.Context(), netip.MustParseAddr("192.168.0.2"))
	if err != nil || f.Variant != host.Legacy || f.Blocked != "" || len(f.Missing) > 0 {
		t.Errorf("variant %q, blocked by %q, missing %v: %v", f.Variant, f.Blocked, f.Missing, err)
	}
	w := host.Wish{Uplink: "eth0", Locals: []host.Local{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "docker0"}}}
	if err := m.Apply(t.Context(), w).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := machine.New(machine.Options{StateDir: t.TempDir()}).Rules(t.Context()); err != nil {
		t.Errorf("the rules cannot be told: %v", err)
	}
	if _, err := m.Restart().Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, m.Dump()); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
}

// TestLockHeld has another program hold the lock of the legacy variant for a while: the
// agent waits for it.
func TestLockHeld(t *testing.T) {
	needRoot(t)
	for _, tool := range []string{"iptables-legacy", "flock"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	m := namespace(t)
	shell(t, "iptables-legacy -N DOCKER; iptables-legacy -t raw -S")
	held := exec.Command("flock", "/run/xtables.lock", "sh", "-c", "echo held; sleep 1")
	out, err := held.StdoutPipe()
	if err == nil {
		err = held.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	w := host.Wish{Uplink: "eth0", Locals: []host.Local{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "docker0"}}}
	if err := m.Apply(t.Context(), w).Err(); err != nil {
		t.Error(err)
	}
	if err := held.Wait(); err != nil {
		t.Error(err)
	}
}
