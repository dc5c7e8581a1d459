package machine_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
)

// TestNativeFacts reads what real engines wrote.
func TestNativeFacts(t *testing.T) {
	needReplay(t)
	open, marks := host.Native{}, host.Native{Mark: 0x10000, Mask: 0x10000}
	for name, want := range map[string]host.Native{
		"29.1.3-nftables-empty":                open,
		"29.1.3-nftables-published":            {Drops: true},
		"29.7.2-nftables-userbridge-published": {Drops: true},
		"29.7.2-nftables-trusted-eth0":         {Drops: true},
		"29.7.2-nftables-ipv6":                 {Drops: true},
		"29.7.2-nftables-internal":             open,
		"29.7.2-nftables-gw-routed":            open,
		"29.7.2-nftables-agent-applied":        marks,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, readCapture(t, name))
			w.b.in(t, func() {
				f, err := w.host.Facts(t.Context(), netip.MustParseAddr(hostB))
				if err != nil || !f.Docker || f.Native == nil {
					t.Fatalf("native %v, docker %t, %v", f.Native, f.Docker, err)
				}
				if diff := cmp.Diff(want, *f.Native); diff != "" {
					t.Errorf("(-want +have):\n%s", diff)
				}
			})
		})
	}
}

func repaired(t *testing.T, w *world, wish host.Wish) []host.Kind {
	t.Helper()
	out := w.apply(t, wish)
	if err := out.Err(); err != nil {
		t.Errorf("apply: %v", err)
	}
	var kinds []host.Kind
	for _, r := range out.Repairs {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

func wantKinds(t *testing.T, what string, have []host.Kind, want ...host.Kind) {
	t.Helper()
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s repaired otherwise (-want +have):\n%s", what, diff)
	}
}

// TestRedirectStays has the redirect meet what comes along: strict filters, an agent started
// anew, hosts that come and go, a bridge made anew, filters of others.
func TestRedirectStays(t *testing.T) {
	needReplay(t)
	c := readCapture(t, "29.7.2-nftables-published")
	w := newWorld(t, c)
	w.b.in(t, func() {
		shell(t, "for i in default docker0; do echo 1 > /proc/sys/net/ipv4/conf/$i/rp_filter; done; tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress pref 9 protocol ip u32 match u32 0 0")
	})
	before := w.dump(t)
	wish := w.wish(host.WayRedirect)
	wantKinds(t, "the first wish", repaired(t, w, wish), host.KindSetting, host.KindRedirect)
	w.wantIn(t, "strict reverse path filter", "all", "-", false)

	w.host = machine.New(machine.Options{StateDir: w.state})
	wantKinds(t, "an agent started anew", repaired(t, w, wish))

	more := wish
	more.Remotes = append(more.Remotes, netip.MustParsePrefix("10.8.0.0/16"), netip.MustParsePrefix("fd00:8::/64"))
	wantKinds(t, "another host", repaired(t, w, more), host.KindRedirect)
	little := wish
	little.Remotes, little.Peers, little.Incomplete = nil, nil, true
	wantKinds(t, "an incomplete list", repaired(t, w, little))
	w.wantIn(t, "incomplete", "all", "-", false)
	wantKinds(t, "the other host gone", repaired(t, w, wish), host.KindRedirect)
	gone := wish
	gone.Remotes = nil
	wantKinds(t, "all containers gone", repaired(t, w, gone), host.KindRedirect)
	want(t, "gone", map[probe]string{{w.peer, containerA, "10.1.0.2:80"}: "-", {w.peer, hostA, "10.1.0.2:80"}: hostA})

	w.b.in(t, func() {
		shell(t, "ip link del docker0; ip link add docker0 address 02:42:00:00:00:02 type bridge; ip addr add 10.1.0.1/24 dev docker0; ip link set docker0 up; ip link set veth1 master docker0")
	})
	wantKinds(t, "a bridge made anew", repaired(t, w, wish), host.KindSetting, host.KindRedirect)
	w.wantIn(t, "bridge made anew", "all", "-", false)

	lacking := wish
	lacking.Locals = append(slices.Clone(wish.Locals), host.Local{Prefix: netip.MustParsePrefix("10.7.0.0/24"), Bridge: "br-gone"})
	if out := w.apply(t, lacking); out.Failures[host.PartNative] == nil {
		t.Error("a bridge that is gone was not told of")
	}
	w.wantIn(t, "another bridge gone", "all", "-", false)

	strict := wish
	strict.Strict = true
	out := w.apply(t, strict)
	if err := out.Failures[host.PartNative]; !errors.Is(err, api.ErrUnsupported) || !strings.Contains(err.Error(), "bridge-accept-fwmark") {
		t.Errorf("strict: %v", err)
	}
	w.wantIn(t, "strict", "-", "-", false)
	wantKinds(t, "not strict", repaired(t, w, wish), host.KindRedirect)

	w.b.in(t, func() {
		if _, err := machine.New(machine.Options{StateDir: w.state}).Restore(t.Context()); err != nil {
			t.Errorf("restore: %v", err)
		}
	})
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
}

// TestRedirectCapabilities has agents with less than all.
func TestRedirectCapabilities(t *testing.T) {
	needReplay(t)
	w := newWorld(t, readCapture(t, "29.7.2-nftables-published"))
	wish := w.wish(host.WayRedirect)
	without := func(capabilities ...uint) (out host.Outcome) {
		w.b.in(t, func() { // on a thread that ends with it
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			err := unix.Capget(&header, &data[0])
			for _, c := range capabilities {
				data[c/32].Effective &^= 1 << (c % 32)
			}
			if err == nil {
				err = unix.Capset(&header, &data[0])
			}
			if err != nil {
				t.Fatal(err)
			}
			out = w.host.Apply(t.Context(), wish)
		})
		return out
	}
	err := without(unix.CAP_SYS_ADMIN, unix.CAP_BPF).Failures[host.PartNative]
	if !errors.Is(err, api.ErrPermission) || !strings.Contains(err.Error(), "CAP_BPF") {
		t.Errorf("without CAP_BPF: %v", err)
	}
	for _, agent := range []string{"first", "second"} {
		w.host = machine.New(machine.Options{StateDir: w.state})
		wish.Incomplete = agent == "second"
		if out := without(unix.CAP_SYS_ADMIN); out.Err() != nil || wish.Incomplete && len(out.Repairs) > 0 {
			t.Errorf("%s agent without CAP_SYS_ADMIN: %v, repaired %v", agent, out.Err(), out.Repairs)
		}
		w.wantIn(t, agent, "all", "-", false)
		wish.Incomplete = false
		if out := without(unix.CAP_SYS_ADMIN); out.Err() != nil || agent == "second" && len(out.Repairs) != 1 {
			t.Errorf("%s agent without CAP_SYS_ADMIN: %v, repaired %v, want it replaced", agent, out.Err(), out.Repairs)
		}
		if out := without(unix.CAP_SYS_ADMIN); out.Err() != nil || len(out.Repairs) > 0 {
			t.Errorf("%s agent without CAP_SYS_ADMIN, again: %v, repaired %v", agent, out.Err(), out.Repairs)
		}
	}
}

// TestRedirectPolicy has a policy of DROP left over in iptables, as switching Docker's backend
// in place leaves it. A redirected packet gets past it, into the bridge it is for only.
func TestRedirectPolicy(t *testing.T) {
	needReplay(t)
	w := newWorld(t, readCapture(t, "29.7.2-nftables-published"))
	w.b.in(t, func() { shell(t, "iptables -P FORWARD DROP; ip6tables -P FORWARD DROP") })
	before := w.dump(t)
	wish := w.wish(host.WayRedirect)
	w.mustApply(t, wish)
	want(t, "a policy left over", map[probe]string{
		{w.peer, containerA, "10.1.0.2:80"}: containerA, {w.peer, hostA, "10.1.0.2:80"}: hostA, {w.peer, outsider, "10.1.0.2:80"}: "-",
	})
	w.wantIdle(t, wish)
	w.b.in(t, func() {
		if rules := shell(t, "iptables -S SEALANE-FWD"); !strings.Contains(rules, "-i docker0 -o docker0") || strings.Contains(rules, "-i docker0 -m") {
			t.Errorf("rules:\n%s", rules)
		}
		if _, err := w.host.Restore(t.Context()); err != nil {
			t.Errorf("restore: %v", err)
		}
	})
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
}

// TestRedirectWatched takes the redirect away.
func TestRedirectWatched(t *testing.T) {
	needReplay(t)
	w := newWorld(t, readCapture(t, "29.7.2-nftables-published"))
	wish := w.wish(host.WayRedirect)
	w.mustApply(t, wish)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w.b.in(t, func() {
		wake := w.host.Watch(ctx)
		for _, loss := range []string{"tc filter del dev eth0 ingress pref 100", "tc qdisc del dev eth0 clsact"} {
			shell(t, loss)
			if !woken(wake, true) {
				t.Errorf("%s: not woken", loss)
			}
			for woken(wake, false) {
				continue
			}
			wantKinds(t, loss, repaired(t, w, wish), host.KindRedirect)
		}
		stop()
		for range wake {
			continue
		}
	})
	w.wantIn(t, "redirect lost and made again", "all", "-", false)
}

// TestNative6 has a network with both families.
func TestNative6(t *testing.T) {
	needReplay(t)
	for _, way := range []host.Way{host.WayRedirect, host.WayMark} {
		t.Run(string(way), func(t *testing.T) {
			c := readCapture(t, "29.7.2-nftables-ipv6")
			if way == host.WayMark {
				c = accepting(c)
			}
			w := newWorld(t, c)
			clear(w.published) // on the host by another port
			const inside, member, stranger = "fd10:1:6::2", "fd00:3::2", "fd00:2::2"
			for _, one := range w.containers {
				shell(t, fmt.Sprintf(`
					for s in %[1]s %[2]s; do ip netns exec $s sh -ec 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'; done
					ip -n %[1]s addr add fd00:1::2/64 dev eth0 nodad; ip -n %[2]s addr add fd00:1::1/64 dev to1 nodad
					ip -n %[3]s addr add fd00:2::2/64 dev eth0 nodad; ip -n %[2]s addr add fd00:2::1/64 dev to2 nodad
					ip -n %[4]s addr add fd00:3::2/64 dev eth0 nodad; ip -n %[2]s addr add fd00:3::1/64 dev to3 nodad
					ip -n %[1]s addr add fd10:1:6::1/64 dev %[6]s nodad; ip -n %[5]s addr add %[7]s/64 dev eth0 nodad
					ip -n %[1]s route add default via fd00:1::1; ip -n %[2]s route add fd10:1:6::/64 via fd00:1::2
					ip -n %[3]s route add default via fd00:2::1; ip -n %[4]s route add default via fd00:3::1; ip -n %[5]s route add default via fd10:1:6::1`,
					w.b.name, w.router.name, w.outside.name, w.peer.name, one.name, w.bridges[len(w.bridges)-1].Bridge, inside))
			}
			before := w.dump(t)
			reach := func(when, members, strangers string) {
				want(t, when, map[probe]string{
					{w.peer, member, "[" + inside + "]:82"}: members, {w.outside, stranger, "[" + inside + "]:82"}: "-",
					{w.peer, member, "[" + inside + "]:80"}: members, {w.outside, stranger, "[" + inside + "]:80"}: strangers,
				})
			}
			if way == host.WayRedirect {
				reach("before", "-", "-")
			}
			wish := w.wish(way)
			wish.Locals = append(wish.Locals, host.Local{Prefix: netip.MustParsePrefix("fd10:1:6::/64"), Bridge: w.bridges[len(w.bridges)-1].Bridge})
			wish.Peers = append(wish.Peers, netip.MustParseAddr(member))
			wish.Leave = []host.Part{host.PartRouterAdv}
			w.mustApply(t, wish)
			reach("applied", member, "-")
			w.wantIn(t, "applied", "all", "-", false)
			w.wantIdle(t, wish)
			w.b.in(t, func() {
				if _, err := w.host.Restore(t.Context()); err != nil {
					t.Error(err)
				}
			})
			if diff := cmp.Diff(before, w.dump(t)); diff != "" {
				t.Errorf("not as before (-before +after):\n%s", diff)
			}
		})
	}
}

// TestRedirectRefused has another program's filter in the redirect's place.
func TestRedirectRefused(t *testing.T) {
	needReplay(t)
	w := newWorld(t, readCapture(t, "29.7.2-nftables-published"))
	w.b.in(t, func() {
		shell(t, "tc qdisc add dev eth0 ingress; tc filter add dev eth0 ingress pref 100 protocol ip u32 match u32 0 0")
	})
	if err := w.apply(t, w.wish(host.WayRedirect)).Failures[host.PartNative]; !errors.Is(err, api.ErrRefused) {
		t.Errorf("apply: %v, want it refused", err)
	}
	w.b.in(t, func() { shell(t, "tc filter del dev eth0 ingress pref 100") })
	w.mustApply(t, w.wish(host.WayRedirect))
	w.wantIn(t, "beside an ingress qdisc", "all", "-", false)
}

// TestNativeIsolation wants two bridges of one host apart from each other as Docker has
// them, and members of a strict wish let in to published ports only.
func TestNativeIsolation(t *testing.T) {
	needReplay(t)
	neighbour, published := netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("10.1.1.2")
	for _, way := range []host.Way{host.WayRedirect, host.WayMark} {
		t.Run(string(way), func(t *testing.T) {
			c := readCapture(t, "29.7.2-nftables-userbridge-published")
			if way == host.WayMark {
				c = accepting(c)
			}
			c.containers[neighbour] = "docker0"
			w := newWorld(t, c)
			wish := w.wish(way)
			w.mustApply(t, wish)
			apart := map[probe]string{
				{w.containers[neighbour], "", published.String()}:         "-",
				{w.containers[neighbour], "", published.String() + ":80"}: "-",
				{w.containers[neighbour], "", published.String() + ":82"}: "-",
				{w.containers[published], "", neighbour.String() + ":82"}: "-",
			}
			// The host's own addresses, that of a bridge too, are open to all as before.
			w.b.serve(t, "10.1.1.1")
			own := map[probe]string{
				{w.containers[neighbour], "", hostB + ":8082"}: "10.1.1.1",
				{w.containers[neighbour], "", "10.1.1.1:8082"}: "10.1.1.1",
				{w.containers[neighbour], "", "10.1.1.1"}:      "ok",
				{w.containers[neighbour], "", "10.1.1.1:82"}:   neighbour.String(),
				{w.containers[published], "", "10.1.0.1:82"}:   published.String(),
				{w.containers[published], "", "10.1.1.1:82"}:   published.String(),
				{w.outside, "", "10.1.1.1"}:                    "ok",
				{w.outside, "", "10.1.1.1:82"}:                 outsider,
				{w.outside, "", "10.1.1.1:8082"}:               outsider,
				{w.outside, "", hostB + ":8082"}:               outsider,
			}
			want(t, "applied", own)
			want(t, "applied", apart)
			if way == host.WayRedirect {
				return
			}
			wish.Strict = true
			w.mustApply(t, wish)
			want(t, "strict", apart)
			want(t, "strict", map[probe]string{
				{w.peer, containerA, published.String() + ":80"}: containerA,
				{w.peer, hostA, published.String() + ":80"}:      hostA,
				{w.peer, containerA, published.String() + ":82"}: "-",
				{w.peer, containerA, neighbour.String()}:         "-",
				{w.outside, "", published.String() + ":80"}:      "-",
				{w.containers[neighbour], "", containerA}:        "ok",
			})
			w.wantIdle(t, wish)
			wish.Locals, wish.Incomplete = wish.Locals[:1], true
			w.wantIdle(t, wish)
			want(t, "incomplete", apart)
			want(t, "incomplete", own)
		})
	}
}

// TestManyHosts has as many hosts as a cluster may, and changes one.
func TestManyHosts(t *testing.T) {
	needReplay(t)
	for _, way := range []host.Way{host.WayRedirect, host.WayMark} {
		t.Run(string(way), func(t *testing.T) {
			c := readCapture(t, "29.7.2-nftables-published")
			if way == host.WayMark {
				c = accepting(c)
			}
			w := newWorld(t, c)
			wish := w.wish(way)
			for n := range 5000 {
				wish.Remotes = append(wish.Remotes, netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(64 + n>>7), byte(n << 1), 0}), 24))
			}
			wish.KeepFrom, wish.Keep = []netip.Prefix{wish.Locals[0].Prefix}, wish.Remotes
			w.mustApply(t, wish)
			w.wantIdle(t, wish)
			wish.Remotes = wish.Remotes[:len(wish.Remotes)-1]
			w.mustApply(t, wish)
			w.wantIn(t, fmt.Sprint(len(wish.Remotes)), "all", "-", false)
		})
	}
}

// TestTypedRedirect has nothing left to do after the typing but what no shell can.
func TestTypedRedirect(t *testing.T) {
	needReplay(t)
	w := newWorld(t, readCapture(t, "29.7.2-nftables-published"))
	wish := w.wish(host.WayRedirect)
	w.b.in(t, func() {
		steps, err := w.host.Plan(t.Context(), wish)
		if err != nil {
			t.Error(err)
		}
		for _, s := range steps {
			shell(t, s.Command)
		}
	})
	wantKinds(t, "typed", repaired(t, w, wish), host.KindRedirect)
	w.wantIn(t, "typed", "all", "-", false)

	// The filter is found and taken away without what was remembered of it.
	if err := os.Remove(filepath.Join(w.state, "host.json")); err != nil {
		t.Fatal(err)
	}
	w.host = machine.New(machine.Options{StateDir: w.state})
	w.b.in(t, func() {
		if _, err := w.host.Restore(t.Context()); err != nil {
			t.Error(err)
		}
		if filters := shell(t, "tc filter show dev eth0 ingress"); filters != "" {
			t.Error(filters)
		}
	})
}

// TestTyped types what a plan says in a shell, after which there is nothing left to do.
func TestTyped(t *testing.T) {
	needReplay(t)
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint(strict), func(t *testing.T) {
			w := newWorld(t, accepting(readCapture(t, "29.7.2-nftables-userbridge-published")))
			wish := w.wish(host.WayMark)
			wish.Strict, wish.Remotes = strict, append(wish.Remotes, netip.MustParsePrefix("10.9.4.0/22"), netip.MustParsePrefix("10.9.8.0/24"))
			wish.KeepFrom, wish.Keep = []netip.Prefix{wish.Locals[0].Prefix}, wish.Remotes
			w.b.in(t, func() {
				steps, err := w.host.Plan(t.Context(), wish)
				if err != nil {
					t.Error(err)
				}
				for _, s := range steps {
					shell(t, s.Command)
				}
			})
			w.wantIdle(t, wish)
			if !strict {
				w.wantIn(t, "typed", "all", "-", false)
			}
		})
	}
}
