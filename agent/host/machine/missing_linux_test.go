package machine_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
)

// lacking is set for a process of this test that has to do without something.
const lacking = "SEALANE_TEST_LACKING"

// readOnly starts a command that cannot write sysctls.
const readOnly = `unshare -m sh -c 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$0" "$@"'`

// TestSettingsReadOnly fails to turn forwarding on, and does not take it for ours when
// somebody else does so then.
func TestSettingsReadOnly(t *testing.T) {
	if dir := os.Getenv(lacking); dir != "" {
		s := settled{t, machine.Options{StateDir: dir}}
		out := machine.New(s.opts).Apply(t.Context(), s.wish())
		if err := out.Failures[host.PartForwarding]; !errors.Is(err, unix.EROFS) {
			t.Errorf("turned on forwarding: %v", err)
		}
		return
	}
	s := newSettled(t)
	shell(t, readOnly+" env "+lacking+"="+s.opts.StateDir+" "+os.Args[0]+" -test.run '^TestSettingsReadOnly$'")
	s.set("ipv4/ip_forward 1")
	s.restore()
	s.want("ipv4/ip_forward 1")
}

// TestRestoreReadOnly gets no further, after a reboot, than removing the file that told the
// former values.
func TestRestoreReadOnly(t *testing.T) {
	if dirs := os.Getenv(lacking); dirs != "" {
		state, sysctls, _ := strings.Cut(dirs, ":")
		if _, err := machine.New(machine.Options{StateDir: state, SysctlDir: sysctls}).Restore(t.Context()); !errors.Is(err, unix.EROFS) {
			t.Errorf("restored: %v", err)
		}
		return
	}
	s := newSettled(t)
	s.set("ipv4/conf/eth0/rp_filter 1")
	s.apply(s.wish())
	s.opts.StateDir = t.TempDir()
	shell(t, readOnly+" env "+lacking+"="+s.opts.StateDir+":"+s.opts.SysctlDir+" "+os.Args[0]+" -test.run '^TestRestoreReadOnly$'")
	if s.file() != "" {
		t.Error("the file is still there")
	}
	s.restore()
	s.want("ipv4/conf/eth0/rp_filter 1")
}

// TestMissing starts itself with less than is needed, and wants it told what that is, and
// the rest of the facts.
func TestMissing(t *testing.T) {
	if os.Getenv(lacking) != "" {
		f, err := machine.New(machine.Options{StateDir: t.TempDir()}).Facts(t.Context(), netip.MustParseAddr("192.168.0.2"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
			t.Fatal(err)
		}
		return
	}
	needRoot(t)
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("needs setpriv")
	}
	for _, tt := range []struct {
		name, prefix, path string
		want               []string
		sees               bool // the rules
	}{
		{name: "nothing", prefix: "env", sees: true},
		{name: "no CAP_NET_ADMIN", prefix: "setpriv --bounding-set -net_admin --inh-caps -net_admin", want: []string{"CAP_NET_ADMIN"}},
		{name: "no CAP_NET_RAW", prefix: "setpriv --bounding-set -net_raw --inh-caps -net_raw", want: []string{"CAP_NET_RAW"}},
		{
			name: "nobody", prefix: "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps -all --bounding-set -all",
			want: []string{"CAP_NET_ADMIN", "CAP_NET_RAW"},
		},
		{name: "no commands", prefix: "env", path: "/nowhere", want: []string{"iptables", "iptables-save", "iptables-restore"}},
		{name: "read-only", prefix: readOnly, want: []string{"/proc/sys"}, sees: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			namespace(t)
			// Others must be able to reach it, and the rules to hold one that matches a set.
			shell(t, "iptables -N DOCKER; ipset create other hash:net; iptables -A DOCKER -m set --match-set other src -j ACCEPT")
			binary := t.TempDir() + "/test"
			shell(t, "cp "+os.Args[0]+" "+binary+"; chmod 755 "+binary+"; chmod 711 $(dirname "+binary+") $(dirname $(dirname "+binary+"))")
			set := lacking + "=1"
			if tt.path != "" {
				set += " PATH=" + tt.path
			}
			cmd := exec.Command("sh", "-c", tt.prefix+" /usr/bin/env "+set+" TMPDIR=/tmp "+binary+" -test.run '^TestMissing$'")
			cmd.Dir = "/"
			out, err := cmd.Output()
			var f host.Facts
			if err == nil {
				err = json.NewDecoder(strings.NewReader(string(out))).Decode(&f)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if len(f.Missing) != len(tt.want) {
				t.Fatalf("missing %q, want %q", f.Missing, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(f.Missing[i]+" ", want+" ") {
					t.Errorf("missing %q, want %q", f.Missing[i], want)
				}
			}
			if f.Docker != tt.sees || f.Uplink != "eth0" || len(f.Bridges) != 1 {
				t.Errorf("Docker seen %t, want %t; uplink %q, bridges %v", f.Docker, tt.sees, f.Uplink, f.Bridges)
			}
		})
	}
}
