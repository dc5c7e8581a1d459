package host_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// settled is a machine whose host makes kernel settings only.
type settled struct {
	*testing.T
	opts host.Options
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
	return settled{t, host.Options{StateDir: t.TempDir(), SysctlDir: t.TempDir()}}
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
	out := host.New(s.opts).Apply(s.Context(), w)
	if err := out.Err(); err != nil {
		s.Fatal(err)
	}
	return out.Repairs
}

func (s settled) restore() []host.Repair {
	s.Helper()
	undone, err := host.New(s.opts).Restore(s.Context())
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
	s.set("ipv4/ip_forward 1")
	s.apply(s.wish())
	s.set("ipv4/ip_forward 0")
	if have := s.apply(s.wish()); len(have) != 1 || have[0].Kind != host.KindForwarding {
		t.Errorf("repaired %v, want forwarding", have)
	}
	s.set("ipv4/conf/docker0/forwarding 0")
	s.apply(s.wish())
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

// TestSettingsPlan runs what is told as commands in a shell, and wants nothing left to do.
func TestSettingsPlan(t *testing.T) {
	s := newSettled(t)
	s.set("ipv4/conf/eth0.100/rp_filter 1")
	before := dump(t)
	h, w := host.New(s.opts), s.wish()
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
	var made []string
	for _, r := range s.apply(w) {
		made = append(made, r.What)
	}
	if diff := cmp.Diff(told, made); diff != "" {
		t.Errorf("what was told is not what was made (-told +made):\n%s", diff)
	}
	file := s.file()
	undo, err := host.New(s.opts).PlanRestore(t.Context())
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

// TestSettingsFile is about what outlives a reboot.
func TestSettingsFile(t *testing.T) {
	settings := func(s settled) []string {
		return regexp.MustCompile(`(?m)^net.*$`).FindAllString(s.file(), -1)
	}
	filter, forward := "net.ipv4.conf.eth0.rp_filter = 2", "net.ipv4.ip_forward = 1"
	strict := func(t *testing.T) settled {
		s := newSettled(t)
		s.set("ipv4/conf/eth0/rp_filter 1")
		return s
	}
	four := func(s settled) host.Wish {
		w := s.wish()
		w.Locals = w.Locals[:1]
		return w
	}
	t.Run("ip_forward where Docker shields", func(t *testing.T) {
		s := strict(t)
		for _, step := range []struct {
			script string
			want   []string
		}{
			{"", []string{filter}},
			{"iptables -N DOCKER; iptables -P FORWARD DROP", []string{filter}},
			{"iptables -A DOCKER ! -i docker0 -o docker0 -j DROP", []string{filter, forward}},
			{"iptables -F; iptables -X DOCKER", []string{filter, forward}}, // as after a boot, before Docker
			{"iptables -N DOCKER", []string{filter}},
		} {
			shell(t, step.script)
			s.apply(four(s))
			if have := settings(s); !slices.Equal(have, step.want) {
				t.Errorf("after %q the file has %q, want %q", step.script, have, step.want)
			}
			if again := s.apply(four(s)); len(again) > 0 {
				t.Errorf("applied twice, repaired %v", again)
			}
		}
	})
	t.Run("not what was on before", func(t *testing.T) {
		s := strict(t)
		s.set("ipv4/ip_forward 1")
		shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
		s.apply(four(s))
		if have := settings(s); !slices.Equal(have, []string{filter}) {
			t.Errorf("the file has %q, want %q", have, filter)
		}
	})
	t.Run("known after a reboot", func(t *testing.T) {
		s := strict(t)
		shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
		before := dump(t)
		s.apply(s.wish())
		file := s.file()
		s.opts.StateDir = t.TempDir()
		if repairs := s.apply(s.wish()); len(repairs) > 0 || s.file() != file {
			t.Errorf("repaired %v, file\n%s", repairs, s.file())
		}
		s.opts.StateDir = t.TempDir()
		shell(t, "iptables -F; iptables -X DOCKER")
		s.restore()
		shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
		if diff := cmp.Diff(before, dump(t)); diff != "" || s.file() != "" {
			t.Errorf("not as before (-before +after):\n%s%s", diff, s.file())
		}
	})
	t.Run("of somebody else", func(t *testing.T) {
		for _, foreign := range []string{"echo net.ipv4.ip_forward=0 >", "ln -s /dev/null"} {
			s := strict(t)
			shell(t, foreign+" "+s.opts.SysctlDir+"/60-sealane.conf")
			before := s.file()
			out := host.New(s.opts).Apply(t.Context(), s.wish())
			if err := out.Failures[host.PartDropIn]; !errors.Is(err, api.ErrRefused) || len(out.Failures) != 1 || s.file() != before {
				t.Errorf("%s: %v", foreign, out.Err())
			}
			s.restore()
			if _, err := os.Lstat(s.opts.SysctlDir + "/60-sealane.conf"); err != nil || s.file() != before {
				t.Errorf("a foreign file was removed: %v", err)
			}
		}
	})
	t.Run("readable, and of this directory only", func(t *testing.T) {
		s := strict(t)
		s.apply(s.wish())
		info, err := os.Stat(s.opts.SysctlDir + "/60-sealane.conf")
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%v, %v", info, err)
		}
		s.restore()
		s.opts.SysctlDir = ""
		s.apply(s.wish())
		s.restore()
	})
}

// TestRouterAdvertisements sends one, and wants its route kept through all changes.
func TestRouterAdvertisements(t *testing.T) {
	s := newSettled(t)
	shell(t, `
		ip link set wire addrgenmode none
		ip link set wire up
		ip -6 addr add fe80::1/64 dev wire nodad`)
	advertise(t)
	routed := func() bool {
		return strings.Contains(shell(t, "ip -6 route show default dev eth0"), "fe80::1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); !routed(); <-tick {
		if ctx.Err() != nil {
			t.Fatal("the advertisement gave no route")
		}
	}
	shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
	refused := s.wish()
	refused.Leave = append(refused.Leave, host.PartRouterAdv)
	if out := host.New(s.opts).Apply(t.Context(), refused); !errors.Is(out.Failures[host.PartForwarding], api.ErrRefused) || !strings.Contains(out.Err().Error(), "eth0") {
		t.Errorf("forwarding turned on with accept_ra left at 1: %v", out.Err())
	}
	s.want("ipv4/ip_forward 1", "ipv6/conf/all/forwarding 0")
	if text := s.file(); strings.Contains(text, "ipv6") || !strings.Contains(text, "ip_forward = 1") {
		t.Errorf("the file is to have what was made, and no more:\n%s", text)
	}
	s.apply(s.wish())
	s.want("ipv6/conf/all/forwarding 1", "ipv6/conf/eth0/accept_ra 2")
	if !routed() {
		t.Error("the route is lost with forwarding turned on")
	}
	s.restore()
	s.want("ipv6/conf/all/forwarding 0", "ipv6/conf/eth0/accept_ra 1")
	if !routed() {
		t.Error("the route is lost with forwarding turned off")
	}
}

// advertise sends a router advertisement from wire, for half an hour.
func advertise(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	from, to := &unix.SockaddrInet6{}, &unix.SockaddrInet6{Addr: netip.MustParseAddr("ff02::1").As16()}
	from.Addr = netip.MustParseAddr("fe80::1").As16()
	link, err := netlink.LinkByName("wire")
	if err != nil {
		t.Fatal(err)
	}
	from.ZoneId, to.ZoneId = uint32(link.Attrs().Index), uint32(link.Attrs().Index)
	message := []byte{134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255),
		unix.Bind(fd, from),
		unix.Sendto(fd, message, 0, to))
	if err != nil {
		t.Fatal(err)
	}
}

// TestWatchSettings wakes for settings of the interfaces of the wish, not for those of others.
func TestWatchSettings(t *testing.T) {
	s := newSettled(t)
	h := host.New(s.opts)
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
