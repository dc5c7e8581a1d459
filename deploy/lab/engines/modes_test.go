package engines

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// modes are the other ways in which containers are connected, each looked at on every host
// from the first container of the next one, and some within the host.
func (w *world) modes(t *testing.T, x *matrix, when string, agents bool) {
	t.Helper()
	for i, m := range w.hosts {
		other := w.hosts[(i+1)%len(w.hosts)]
		if !agents {
			w.makeModes(t, m)
		}
		row := func(name string) string { return when + ": " + name }
		column := other.column + " > " + m.column
		ask := func(name string, from source, to target, wanted bool, shown netip.Addr) {
			got := try(t.Context(), from, to)
			for tries := 1; !got.IsValid() && wanted && tries < 5; tries++ { // a busy machine answers late
				got = try(t.Context(), from, to)
			}
			problem := ""
			if got.IsValid() != wanted || wanted && shown.IsValid() && to.port != 0 && got != shown {
				problem = fmt.Sprintf("asked %s:%d, which sees %q; want an answer %t, to %s", to.ip, to.port, got, wanted, shown)
			}
			x.note(t, row(name), column, wanted, problem)
		}
		remote := other.sources()[0]
		self := remote.shown
		if agents {
			self = remote.own
		}
		wired, joined, shared := m.boxes["wired"], m.boxes["joined"], m.boxes["plain"]
		ask("network host", remote, target{ip: m.IP, port: 8090}, true, remote.shown)
		ask("none, wired by hand into docker0", remote, target{ip: wired.ip, port: 8080}, agents || m.open && !m.drops, self)
		ask("none, wired by hand: the other way", source{netns: wired.netns, own: wired.ip}, target{ip: other.boxes["pub"].ip, port: 8080}, agents || !other.drops, netip.Addr{})
		ask("container:NAME", remote, target{ip: shared.ip, port: 8091}, agents || m.open && !m.drops, self)
		ask("two joined by a veth: between them", source{netns: m.boxes["joined2"].netns}, target{ip: joined.ip, port: 8080}, true, netip.Addr{})
		ask("two joined by a veth: from another host", remote, target{ip: joined.ip, port: 8080}, false, netip.Addr{})
		ask("published port, by an outsider", w.outsider(), target{ip: m.IP, port: 8081}, true, w.outsider().own)
		ask("published port, on the loopback of the host", source{netns: netnsOf(m.Namespace)}, target{ip: netip.MustParseAddr("127.0.0.1"), port: 8081}, true, netip.Addr{})
		ask("published port, by its own container", source{netns: m.boxes["pub"].netns}, target{ip: m.IP, port: 8081}, true, netip.Addr{})
		ask("isolation of two bridges", m.sources()[0], target{ip: m.boxes["uplain"].ip, port: 8082}, false, netip.Addr{})
		ask("within one bridge", m.sources()[0], target{ip: m.boxes["pub"].ip, port: 8082}, true, m.boxes["plain"].ip)
		ask("out of the cluster, masqueraded", m.sources()[0], target{ip: w.Inventory().Outsider.IP, port: probe.ServicePort}, true, m.IP)
		w.names(t, x, when, column, m)
	}
}

// makeModes makes the containers that modes asks.
func (w *world) makeModes(t *testing.T, m *member) {
	t.Helper()
	httpd := func(port int) []string {
		return []string{engine.ImageName, "/bin/busybox", "httpd", "-f", "-p", fmt.Sprint("0.0.0.0:", port), "-h", "/www"}
	}
	run := func(args ...string) {
		w.docker(t, m, append([]string{"run", "-d", "--stop-signal", "KILL"}, args...)...)
	}
	run(append([]string{"--name", "onhost", "--network", "host"}, httpd(8090)...)...)
	run(append([]string{"--name", "sharing", "--network", "container:plain"}, httpd(8091)...)...)
	run(append([]string{"--name", "linked", "--link", "plain:friend"}, httpd(8080)...)...)
	wired := w.start(t, m, "wired", "--network", "none")
	wired.ip = netip.MustParseAddr(strings.TrimSuffix(m.Bip.Addr().String(), ".1") + ".200")
	m.boxes["wired"] = wired
	w.on(t, m, "sh", "-ec", fmt.Sprintf(`
		ip link add wire0 type veth peer name eth0 netns %[1]s
		ip link set wire0 master docker0 up
		nsenter --net=%[2]s ip addr add %[3]s/24 dev eth0
		nsenter --net=%[2]s ip link set eth0 up
		nsenter --net=%[2]s ip route add default via %[4]s`,
		pidOf(wired), wired.netns, wired.ip, m.Bip.Addr()))
	joined, joined2 := w.start(t, m, "joined", "--network", "none"), w.start(t, m, "joined2", "--network", "none")
	beside := netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/24", 200+m.Index))
	joined.ip, joined2.ip = beside.Addr().Next(), beside.Addr().Next().Next()
	if err := w.Sim().AddRoute(lab.Table, alisim.Route{Destination: beside, NextHop: string(m.Instance)}); err != nil {
		t.Fatal(err) // packets for them come as far as the host
	}
	m.boxes["joined"], m.boxes["joined2"] = joined, joined2
	w.on(t, m, "sh", "-ec", fmt.Sprintf(`
		nsenter --net=%[2]s ip link add eth0 type veth peer name eth0 netns %[3]s
		nsenter --net=%[2]s ip addr add %[4]s/32 dev eth0
		nsenter --net=%[2]s ip link set eth0 up
		nsenter --net=%[2]s ip route add %[5]s/32 dev eth0
		nsenter --net=%[6]s ip addr add %[5]s/32 dev eth0
		nsenter --net=%[6]s ip link set eth0 up
		nsenter --net=%[6]s ip route add %[4]s/32 dev eth0`,
		pidOf(joined), joined.netns, pidOf(joined2), joined.ip, joined2.ip, joined2.netns))
}

// pidOf is the first process of a container, as its network namespace is named by it.
func pidOf(b box) string { return strings.Split(b.netns, "/")[2] }

// names looks containers up by name: within a user's network Docker's own server knows
// them, and a linked container has its friend in its hosts file; other hosts' are unknown.
func (w *world) names(t *testing.T, x *matrix, when, column string, m *member) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	found, err := resolve(ctx, m.boxes["uplain"].netns, "upub")
	problem := ""
	if err != nil || found != m.boxes["upub"].ip {
		problem = fmt.Sprintf("upub is %v: %v", found, err)
	}
	x.note(t, when+": name on a user's network", column, true, problem)
	hosts := w.docker(t, m, "exec", "linked", "/bin/busybox", "cat", "/etc/hosts")
	problem = ""
	if !strings.Contains(hosts, m.boxes["plain"].ip.String()+"\tfriend") {
		problem = "friend is not in\n" + hosts
	}
	x.note(t, when+": --link", column, true, problem)
}

// resolve asks the name server of a container for a name.
func resolve(ctx context.Context, ns, name string) (netip.Addr, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		failed := inside(ns, func() { conn, err = new(net.Dialer).DialContext(ctx, "udp4", "127.0.0.11:53") })
		if failed != nil {
			err = failed
		}
		return conn, err
	}}
	found, err := r.LookupNetIP(ctx, "ip4", name)
	if err != nil || len(found) == 0 {
		return netip.Addr{}, err
	}
	return found[0].Unmap(), nil
}

// inside runs f on a thread in a network namespace. The thread ends with it.
func inside(path string, f func()) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good
		ns, err := netns.GetFromPath(path)
		if err == nil {
			err = netns.Set(ns)
			_ = ns.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}
