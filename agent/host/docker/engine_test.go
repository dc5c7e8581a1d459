package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/docker"
	"github.com/sealane/sealane/api"
)

// TestGenerations replays what real engines answered, each with one container on the
// default network and one on network u1.
func TestGenerations(t *testing.T) {
	for _, tt := range []struct{ recorded, api, bridge, user, version, backend string }{
		{"20.10.24-iptables", "1.41", "625f3e7b567b", "7cc65fa55c93", "20.10.24+dfsg1", host.BackendIPTables},
		{"23.0.15-iptables", "1.42", "420dbfafd0a9", "87312542f6e6", "23.0.15", host.BackendIPTables},
		{"24.0.7-iptables", "1.43", "2b8303031b9a", "14126eddd528", "24.0.7", host.BackendIPTables},
		{"25.0.13-iptables", "1.44", "eec981885165", "cea94871a6a0", "25.0.13", host.BackendIPTables},
		{"26.1.5-iptables", "1.45", "116a05f44556", "7864dc56145f", "26.1.5+dfsg1", host.BackendIPTables},
		{"27.5.1-iptables", "1.47", "91b205339265", "c252a47a43c4", "27.5.1", host.BackendIPTables},
		{"28.0.0-iptables", "1.48", "f5a3e48506a9", "4d6f267803ab", "28.0.0", host.BackendIPTables},
		{"28.1.1-iptables", "1.49", "35ca827a8950", "ee84cf425034", "28.1.1", host.BackendIPTables},
		{"28.2.2-iptables", "1.50", "f295e08bdaa4", "b34438ed7552", "28.2.2", host.BackendIPTables},
		{"28.5.2-iptables", "1.51", "31619c6be70b", "551c09cffa5b", "28.5.2+dfsg4", host.BackendIPTables},
		{"29.1.3-nftables", "1.52", "f6ea5a232b97", "22957390703c", "29.1.3", host.BackendNFTables},
		{"29.7.2-iptables", "1.55", "73c85580c23c", "cdfbf2e1d190", "29.7.2", host.BackendIPTables},
		{"29.7.2-nftables", "1.55", "d0cee9240116", "3a76bbd29470", "29.7.2", host.BackendNFTables},
	} {
		t.Run(tt.recorded, func(t *testing.T) {
			f := newFake(t)
			f.version = tt.api
			f.answers["/info"] = read(t, tt.recorded+".info.json")
			f.answers["/networks"] = read(t, tt.recorded+".networks.json")
			f.start(t)
			have, err := dial(t, f.socket).Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := host.Engine{Version: tt.version, Backend: tt.backend, Networks: []host.Network{
				plain("bridge", tt.bridge, "docker0", "10.1.0.0/24"),
				plain("u1", tt.user, "br-"+tt.user, "10.1.1.0/24"),
			}}
			want.Networks[0].Default = true
			if diff := cmp.Diff(want, short(have), comparePrefix); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// plain is a network as it is without options.
func plain(name, id, bridge string, subnets ...string) host.Network {
	n := host.Network{
		Name: name, ID: id, Bridge: bridge, ICC: true, Masquerade: true,
		Mode4: host.ModeNAT, Mode6: host.ModeNAT, Labels: map[string]string{},
	}
	for _, s := range subnets {
		n.Subnets = append(n.Subnets, netip.MustParsePrefix(s))
	}
	return n
}

// short cuts the ids to the length that people use.
func short(e host.Engine) host.Engine {
	for i, n := range e.Networks {
		e.Networks[i].ID = n.ID[:12]
	}
	return e
}

var comparePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestNetworks(t *testing.T) {
	with := func(n host.Network, change func(n *host.Network)) host.Network {
		change(&n)
		return n
	}
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	written := func(body string) string { return fmt.Sprintf(`[{"Id":%q,"Driver":"bridge",%s}]`, id, body) }
	for _, tt := range []struct {
		name, answer string
		want         host.Network // the last one
	}{
		{
			"internal", read(t, "20.10.24-iptables-internal.networks.json"),
			with(plain("i1", "a01c0a80ad8b", "br-a01c0a80ad8b", "10.1.2.0/24"), func(n *host.Network) { n.Internal = true }),
		},
		{
			"routed", read(t, "27.5.1-iptables-gw-routed.networks.json"),
			with(plain("g1", "47fc42439530", "br-47fc42439530", "10.1.3.0/24"), func(n *host.Network) { n.Mode4 = "routed" }),
		},
		{
			"isolated", read(t, "28.5.2-iptables-gw-isolated.networks.json"),
			with(plain("g2", "cffef652fe05", "br-cffef652fe05", "10.1.4.0/24"), func(n *host.Network) { n.Internal, n.Mode4 = true, "isolated" }),
		},
		{
			"unprotected", read(t, "29.7.2-nftables-gw-nat-unprotected.networks.json"),
			with(plain("g1", "a4cd9e2c8a1c", "br-a4cd9e2c8a1c", "10.1.3.0/24"), func(n *host.Network) { n.Mode4 = "nat-unprotected" }),
		},
		{"IPv6", read(t, "29.7.2-nftables-ipv6.networks.json"), plain("v6", "87f3c19ce678", "br-87f3c19ce678", "10.1.6.0/24", "fd10:1:6::/64")},
		{
			"IPv6 by default", read(t, "29.7.2-iptables-defaultbridge-ipv6-empty.networks.json"),
			with(plain("bridge", "fdeccbac0dda", "docker0", "10.1.0.0/24", "fd10:1::/64"), func(n *host.Network) { n.Default = true }),
		},
		{
			"every option", written(`"Name":"own","Labels":{"sealane":"yes"},"IPAM":{"Config":[{"Subnet":"fd01::/64"},{"Subnet":"10.9.0.7/16"}]},"Options":{
				"com.docker.network.bridge.name":"br9","com.docker.network.bridge.enable_icc":"false","com.docker.network.bridge.enable_ip_masquerade":"false",
				"com.docker.network.bridge.gateway_mode_ipv6":"routed"}`),
			host.Network{
				Name: "own", ID: id[:12], Bridge: "br9", Mode4: host.ModeNAT, Mode6: "routed", Labels: map[string]string{"sealane": "yes"},
				Subnets: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("fd01::/64")},
			},
		},
		{
			"default without options", written(`"Name":"bridge","Options":null,"Labels":{}`),
			with(plain("bridge", id[:12], "docker0"), func(n *host.Network) { n.Default = true }),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.answers["/networks"] = tt.answer
			f.start(t)
			have, err := dial(t, f.socket).Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, short(have).Networks[len(have.Networks)-1], comparePrefix); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBackends(t *testing.T) {
	for info, want := range map[string]host.Engine{
		`{"ServerVersion":"28.2.2","FirewallBackend":{"Driver":"iptables+firewalld","Info":[["ReloadedAt","2025-01-01T00:00:00Z"]]}}`: {
			Version: "28.2.2", Backend: host.BackendIPTables, Firewalld: true,
		},
		`{"ServerVersion":"20.10.24","Swarm":{"LocalNodeState":"pending"}}`:    {Version: "20.10.24", Backend: host.BackendIPTables, Swarm: true},
		`{"ServerVersion":"31.0.0","FirewallBackend":{"Driver":"ebpf"}}`:       {Version: "31.0.0", Backend: "ebpf"},
		`{"ServerVersion":"28.2.2","FirewallBackend":null,"Swarm":{"X":true}}`: {Version: "28.2.2", Backend: host.BackendIPTables},
	} {
		f := newFake(t)
		f.answers["/info"], f.answers["/networks"] = info, "[]"
		f.start(t)
		have, err := dial(t, f.socket).Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s:\n%s", info, diff)
		}
	}
}

func TestTroubles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, f *fake)
		want  error
		words string
	}{
		{"no socket", func(*testing.T, *fake) {}, api.ErrUnreachable, "no such file"},
		{"nobody at the socket", func(t *testing.T, f *fake) {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err == nil {
				err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: f.socket})
			}
			if err == nil {
				err = syscall.Close(fd)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, api.ErrUnreachable, "connection refused"},
		{"slow", func(t *testing.T, f *fake) {
			f.hold = make(chan struct{})
			f.start(t)
		}, api.ErrUnreachable, "deadline exceeded"},
		{"no engine", func(t *testing.T, f *fake) {
			f.version = "nginx"
			f.start(t)
		}, api.ErrUnsupported, `names no API version, but "nginx"`},
		{"unknown call", func(t *testing.T, f *fake) {
			delete(f.answers, "/info")
			f.start(t)
		}, api.ErrUnsupported, "page not found"},
		{"garbage", func(t *testing.T, f *fake) {
			f.answers["/networks"] = `[{"Name":`
			f.start(t)
		}, api.ErrInvalid, "/networks: unexpected end of JSON"},
		{"no prefix", func(t *testing.T, f *fake) {
			f.answers["/networks"] = `[{"Name":"u1","Id":"1","Driver":"bridge","IPAM":{"Config":[{"Subnet":"10.0.0.0"}]}}]`
			f.start(t)
		}, api.ErrInvalid, "network u1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			tt.spoil(t, f)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := dial(t, f.socket).Look(ctx)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) || !strings.Contains(err.Error(), f.socket) {
				t.Errorf("have %v, want %q, %v", err, tt.words, tt.want)
			}
		})
	}
}

func TestCanceled(t *testing.T) {
	f := newFake(t)
	f.hold = make(chan struct{})
	f.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := dial(t, f.socket).Look(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, api.ErrUnreachable) {
		t.Errorf("have %v", err)
	}
}

func TestDialRefuses(t *testing.T) {
	for _, address := range []string{"", "/var/run/docker.sock", "tcp://127.0.0.1:2375", "unix://docker.sock"} {
		if _, err := docker.Dial(address); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%q: have %v", address, err)
		}
	}
}

// TestPermission looks as nobody, for whom this program runs a second time, since root may
// open any socket.
func TestPermission(t *testing.T) {
	const asNobody = "SEALANE_TEST_SOCKET"
	if socket := os.Getenv(asNobody); socket != "" {
		_, err := dial(t, socket).Look(t.Context())
		if !errors.Is(err, api.ErrPermission) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "group 54321") {
			t.Errorf("have %v, want a missing permission that names group 54321", err)
		}
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: to be another user")
	}
	f := newFake(t)
	f.start(t)
	dir := filepath.Dir(f.socket)
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "self"), self, 0o755)
	}
	err = errors.Join(err, os.Chmod(dir, 0o755), os.Chown(f.socket, 0, 54321), os.Chmod(f.socket, 0o660))
	if err != nil {
		t.Fatal(err)
	}
	again := exec.Command(filepath.Join(dir, "self"), "-test.run=^TestPermission$", "-test.count=1")
	again.Env = append(os.Environ(), asNobody+"="+f.socket)
	again.Dir = dir
	again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
