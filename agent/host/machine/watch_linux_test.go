package machine_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealane/sealane/agent/host"
)

// TestWatch disturbs a host in ways that the kernel announces, and in ways that are not
// ours to look at.
func TestWatch(t *testing.T) {
	needRoot(t)
	defer goleak.VerifyNone(t)
	m := namespace(t)
	shell(t, "iptables -N DOCKER; iptables -N DOCKER-USER; iptables -t nat -N DOCKER")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	wake := watcher(t, m.Subject).Watch(ctx)

	for _, tt := range []struct {
		script string
		want   bool
	}{
		{"ip addr add 10.3.0.1/24 dev docker0", true},
		{"ip addr del 10.3.0.1/24 dev docker0", true},
		{"echo 1 > /proc/sys/net/ipv4/ip_forward", true},
		{"iptables -I DOCKER-USER 1 -j RETURN", true},
		{"iptables -F", true},
		{"nft add table ip sealane", true},
		{"iptables -A DOCKER -d 10.0.0.2 -j ACCEPT", true}, // as Docker does for each container
		{"nft -f - <<'END'\ntable inet theirs { chain forward { type filter hook forward priority 0; policy drop; }; }\nEND", true},
		{"nft add element ip sealane none { 10.0.0.1 } || :", false}, // nothing came of it
		{"ip link add more type veth peer name other; ip link set more up", false},
	} {
		shell(t, tt.script)
		if have := woken(wake, tt.want); have != tt.want {
			t.Errorf("%s: woken %t, want %t", tt.script, have, tt.want)
		}
		for woken(wake, false) { // what else came with it
			continue
		}
	}
	w := host.Wish{Uplink: "eth0", KeepFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	w.Leave = slices.DeleteFunc(host.Parts(), func(p host.Part) bool { return p == host.PartSource })
	for _, keep := range []string{"10.1.0.0/24", "10.2.0.0/24"} {
		w.Keep = []netip.Prefix{netip.MustParsePrefix(keep)}
		if out := m.Apply(t.Context(), w); out.Err() != nil || len(out.Repairs) != 1 {
			t.Errorf("kept toward %s: repaired %v, %v", keep, out.Repairs, out.Err())
		}
		if woken(wake, false) {
			t.Errorf("our own change toward %s woke us", keep)
		}
	}
	stop()
	for range wake { // until it closes
		continue
	}
}

// woken waits for a wake: long for one that must come, a little for one that must not.
func woken(wake <-chan struct{}, expected bool) bool {
	limit := 100 * time.Millisecond
	if expected {
		limit = 5 * time.Second
	}
	select {
	case <-wake:
		return true
	case <-time.After(limit):
		return false
	}
}

type watches interface {
	Watch(ctx context.Context) <-chan struct{}
}

func watcher(t *testing.T, m any) watches {
	t.Helper()
	w, ok := m.(watches)
	if !ok {
		t.Fatal("the host cannot be watched")
	}
	return w
}
