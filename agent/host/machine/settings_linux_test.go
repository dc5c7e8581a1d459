package machine_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
)

// settled is a machine whose host makes kernel settings only.
type settled struct {
	*testing.T
	opts machine.Options
}

func newSettled(t *testing.T) settled {
	t.Helper()
	needRoot(t)
	namespace(t)
	shell(t, `
		ip link add eth1 type veth peer name wire1
		ip link add eth0.100 type veth peer name wire.100
		ip link add veth7 type veth peer name inside
		ip link set veth7 master docker0`)
	return settled{t, machine.Options{StateDir: t.TempDir(), SysctlDir: t.TempDir()}}
}

func (s settled) wish() host.Wish {
	return host.Wish{
		Uplink: "eth0", Forward: true,
		Locals: []host.Local{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "docker0"}, {Prefix: netip.MustParsePrefix("fd00:1::/64"), Bridge: "docker0"}},
		Leave:  []host.Part{host.PartEngine, host.PartRules, host.PartNative, host.PartSource},
	}
}

func (s settled) apply(w host.Wish) []host.Repair {
	s.Helper()
	out := machine.New(s.opts).Apply(s.Context(), w)
	if err := out.Err(); err != nil {
		s.Fatal(err)
	}
	return out.Repairs
}

func (s settled) restore() []host.Repair {
	s.Helper()
	undone, err := machine.New(s.opts).Restore(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return undone
}

// set writes lines like "ipv4/ip_forward 1".
func (s settled) set(lines ...string) {
	s.Helper()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " ")
		shell(s.T, "echo "+value+" > /proc/sys/net/"+name)
	}
}

func (s settled) want(lines ...string) {
	s.Helper()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " ")
		if have := strings.TrimSpace(shell(s.T, "cat /proc/sys/net/"+name)); have != value {
			s.Errorf("%s is %s, want %s", name, have, value)
		}
	}
}

func (s settled) file() string {
	data, err := os.ReadFile(filepath.Join(s.opts.SysctlDir, "60-sealane.conf"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.Fatal(err)
	}
	return string(data)
}

// TestSettingsRestore starts from many settings, and wants them back as they were.
func TestSettingsRestore(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []string
	}{
		{"all off", nil},
		{"redirects refused", []string{"ipv4/conf/all/accept_redirects 0"}},
		{"one forwards", []string{"ipv4/conf/eth1/forwarding 1", "ipv6/conf/eth1/forwarding 1"}},
		{"all but one forward", []string{"ipv4/ip_forward 1", "ipv4/conf/eth0/forwarding 0", "ipv4/conf/eth1/forwarding 0"}},
		{"IPv6 forwards", []string{"ipv6/conf/all/forwarding 1", "ipv6/conf/eth1/forwarding 0"}},
		{"no advertisements", []string{"ipv6/conf/eth0/accept_ra 0", "ipv6/conf/eth1/accept_ra 2"}},
		{"strict for all", []string{"ipv4/conf/all/rp_filter 1"}},
		{"strict for one", []string{"ipv4/conf/eth0/rp_filter 1"}},
		{"loose", []string{"ipv4/conf/all/rp_filter 2", "ipv4/conf/eth0/rp_filter 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSettled(t)
			s.set(tt.before...)
			before := dump(t)
			s.apply(s.wish())
			s.want("ipv4/ip_forward 1", "ipv4/conf/eth0/forwarding 1", "ipv4/conf/docker0/forwarding 1", "ipv6/conf/all/forwarding 1")
			if again := s.apply(s.wish()); len(again) > 0 {
				t.Errorf("applied twice, the second time repaired %v", again)
			}
			memory, err := os.ReadFile(filepath.Join(s.opts.StateDir, "host.json"))
			if err != nil {
				t.Fatal(err)
			}
			s.restore()
			if diff := cmp.Diff(before, dump(t)); diff != "" || s.file() != "" {
				t.Errorf("not as before (-before +after):\n%s%s", diff, s.file())
			}
			// As if it had been killed before it forgot.
			if err := os.WriteFile(filepath.Join(s.opts.StateDir, "host.json"), memory, 0o600); err != nil {
				t.Fatal(err)
			}
			if again := s.restore(); len(again) > 0 {
				t.Errorf("undone twice: %v", again)
			}
		})
	}
}

// TestSettingsOff wants nothing of forwarding touched that was not wished for.
func TestSettingsOff(t *testing.T) {
	s := newSettled(t)
	before := dump(t)
	w := s.wish()
	w.Forward = false
	if repairs := s.apply(w); len(repairs) > 0 {
		t.Errorf("repaired %v", repairs)
	}
	s.restore()
	if diff := cmp.Diff(before, dump(t)); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
}

// TestSettingsInterrupted has a restore end after forwarding was off, when the kernel has
// overwritten what else is to be put back.
func TestSettingsInterrupted(t *testing.T) {
	s := newSettled(t)
	s.set("ipv4/conf/all/accept_redirects 0", "ipv4/conf/eth1/forwarding 1", "ipv6/conf/eth1/forwarding 1")
	before := dump(t)
	s.apply(s.wish())
	s.set("ipv4/ip_forward 0", "ipv6/conf/all/forwarding 0")
	s.restore()
	if diff := cmp.Diff(before, dump(t)); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
}

// TestSettingsOfOthers has somebody else change what we set, and interfaces come and go.
func TestSettingsOfOthers(t *testing.T) {
	s := newSettled(t)
	s.set("ipv4/conf/eth0/rp_filter 1", "ipv4/conf/eth1/forwarding 1", "ipv6/conf/eth1/forwarding 1", "ipv4/conf/all/accept_redirects 0")
	s.apply(s.wish())
	s.want("ipv6/conf/eth0/accept_ra 2", "ipv6/conf/docker0/accept_ra 1", "ipv6/conf/veth7/accept_ra 1", "ipv6/conf/lo/accept_ra 1")
	others := []string{
		"ipv4/conf/eth0/rp_filter 0", "ipv4/conf/eth1/forwarding 0", "ipv6/conf/eth1/forwarding 0", "ipv6/conf/eth0/accept_ra 0",
		"ipv4/conf/all/accept_redirects 1",
	}
	s.set(others...)
	shell(t, "ip link del docker0; ip link del eth0.100; ip link add br-0123456789ab type bridge; ip link add eth9 type veth peer name wire9")
	w := s.wish()
	w.Locals = append(w.Locals, host.Local{Prefix: netip.MustParsePrefix("10.0.1.0/24"), Bridge: "br-0123456789ab"})
	s.apply(w)
	s.want("ipv6/conf/eth9/accept_ra 2", "ipv6/conf/br-0123456789ab/accept_ra 1")
	s.restore()
	s.want(others...)
	s.want("ipv4/ip_forward 0", "ipv4/conf/eth0/forwarding 0", "ipv4/conf/br-0123456789ab/forwarding 0",
		"ipv6/conf/all/forwarding 0", "ipv6/conf/eth9/accept_ra 1", "ipv6/conf/eth0/forwarding 0")
}

// TestSettingsNotOurs has somebody turn off, for a while, what was on before us.
func TestSettingsNotOurs(t *testing.T) {
	s := newSettled(t)
	s.set("ipv4/ip_forward 1", "ipv6/conf/all/forwarding 1", "ipv6/conf/eth1/forwarding 0")
	s.apply(s.wish())
	s.want("ipv6/conf/eth1/accept_ra 1")
	s.set("ipv4/ip_forward 0")
	if have := s.apply(s.wish()); len(have) != 1 || have[0].Kind != host.KindForwarding {
		t.Errorf("repaired %v, want forwarding", have)
	}
	s.set("ipv4/conf/docker0/forwarding 0")
	s.apply(s.wish())
	if text := s.file(); strings.Contains(text, "docker0") {
		t.Errorf("the file has what was on before us:\n%s", text)
	}
	for _, u := range s.restore() {
		if strings.Contains(u.What, "ipv4") {
			t.Errorf("undone: %s", u)
		}
	}
	s.want("ipv4/ip_forward 1", "ipv4/conf/docker0/forwarding 1", "ipv4/conf/eth1/forwarding 1")
}

// TestSettingsBeforeDocker has Docker come after forwarding was on: it needs it then.
func TestSettingsBeforeDocker(t *testing.T) {
	s := newSettled(t)
	s.apply(s.wish())
	s.set("ipv4/conf/docker0/forwarding 0")
	s.apply(s.wish())
	shell(t, "iptables -N DOCKER")
	s.restore()
	s.want("ipv4/ip_forward 1", "ipv4/conf/docker0/forwarding 1", "ipv6/conf/all/forwarding 1", "ipv6/conf/eth0/accept_ra 2")
}

// commands are those of steps, as one text.
func commands(steps []host.Step) string {
	var all []string
	for _, step := range steps {
		all = append(all, step.Command)
	}
	return strings.Join(all, "\n")
}

// TestSettingsPlan runs what is told as commands in a shell, and wants nothing left to do.
func TestSettingsPlan(t *testing.T) {
	s := newSettled(t)
	s.set("ipv4/conf/eth0.100/rp_filter 1")
	before := dump(t)
	h, w := machine.New(s.opts), s.wish()
	w.Uplink = "eth0.100"
	steps, err := h.Plan(t.Context(), w)
	if err != nil || dump(t) != before || s.file() != "" {
		t.Fatalf("planning changed something: %v", err)
	}
	var told []string
	for _, step := range steps {
		for _, r := range step.Repairs {
			told = append(told, r.What)
		}
	}
	for _, value := range []string{"0", "1"} {
		s.set("ipv4/conf/eth0.100/rp_filter " + value)
		again, err := h.Plan(t.Context(), w)
		if filtered := strings.Contains(commands(again), "rp_filter"); err != nil || filtered != (value == "1") {
			t.Errorf("with a filter of %s, it is told %t; %v", value, filtered, err)
		}
	}
	var made []string
	for _, r := range s.apply(w) {
		made = append(made, r.What)
	}
	if diff := cmp.Diff(told, made); diff != "" {
		t.Errorf("what was told is not what was made (-told +made):\n%s", diff)
	}
	file := s.file()
	undo, err := machine.New(s.opts).PlanRestore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range undo {
		shell(t, step.Command)
	}
	if diff := cmp.Diff(before, dump(t)); diff != "" || s.file() != "" {
		t.Errorf("undone by hand, not as before (-before +after):\n%s", diff)
	}
	if left := s.restore(); len(left) > 0 {
		t.Errorf("undone by hand, and still undone %v", left)
	}
	for _, step := range steps {
		shell(t, step.Command)
	}
	if diff := cmp.Diff(file, s.file()); diff != "" || file == "" {
		t.Errorf("the file as typed is another:\n%s", diff)
	}
	if left := s.apply(w); len(left) > 0 {
		t.Errorf("typed, and still repaired %v", left)
	}
}

// TestWatchSettings wakes for settings of the interfaces of the wish, not for those of others.
func TestWatchSettings(t *testing.T) {
	s := newSettled(t)
	h := machine.New(s.opts)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	wake := h.Watch(ctx)
	h.Apply(ctx, s.wish())
	for _, tt := range []struct {
		script string
		want   bool
	}{
		{"", false},
		{"echo 0 > ipv4/ip_forward", true},
		{"echo 1 > ipv4/conf/docker0/forwarding", true},
		{"echo 1 > ipv4/conf/eth0/forwarding", true},
		{"echo 1 > ipv4/conf/eth0/rp_filter", true},
		{"echo 1 > ipv4/conf/all/rp_filter", true},
		{"echo 0 > ipv6/conf/all/forwarding", true},
		{"echo 1 > ipv4/conf/eth1/forwarding", false},
		{"echo 1 > ipv4/conf/veth7/rp_filter", false},
		{"echo 1 > ipv4/conf/eth0/proxy_arp", false},
		{"ip link add more type veth peer name other; ip link set more master docker0; ip link set more up; ip link set other up; ip link del more", false},
	} {
		for woken(wake, false) { // what else came with it
			continue
		}
		shell(t, "cd /proc/sys/net; "+tt.script)
		if have := woken(wake, tt.want); have != tt.want {
			t.Errorf("%s: woken %t, want %t", tt.script, have, tt.want)
		}
	}
	stop()
	for range wake { // until it closes
		continue
	}
}
