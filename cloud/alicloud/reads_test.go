package alicloud

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
)

// wide is a simulator with n more hosts, each in one of some groups.
func wide(t *testing.T, n, groups int) (rig, []api.InstanceID) {
	t.Helper()
	seed := world()
	v := &seed.VPCs[0]
	v.VSwitches = append(v.VSwitches, alisim.VSwitch{ID: "vsw-wide", CIDR: netip.MustParsePrefix("192.168.16.0/20")})
	for g := range groups {
		v.SecurityGroups = append(v.SecurityGroups, alisim.SecurityGroup{ID: fmt.Sprintf("sg-%d", g)})
	}
	var ids []api.InstanceID
	for i := range n {
		seed.Instances = append(seed.Instances, alisim.Instance{
			ID: fmt.Sprintf("i-wide%d", i), VSwitch: "vsw-wide", SecurityGroups: []string{fmt.Sprintf("sg-%d", i%groups)},
			IP: netip.AddrFrom4([4]byte{192, 168, byte(16 + i/250), byte(1 + i%250)}), //nolint:gosec // small
		})
		ids = append(ids, api.InstanceID(fmt.Sprintf("i-wide%d", i)))
	}
	return rigOf(t, seed, func(h http.Handler) http.Handler { return h }), ids
}

// The formula of Instances, for a first and for a steady reading.
func TestCallsOfInstances(t *testing.T) {
	for _, test := range []struct{ hosts, groups, instances, interfaces int }{
		{1, 1, 1, 1}, {10, 3, 1, 1}, {50, 1, 1, 1}, {51, 1, 1, 1}, {100, 2, 1, 1}, {101, 2, 2, 1}, {200, 2, 2, 1}, {1000, 4, 10, 3},
	} {
		t.Run(fmt.Sprint(test.hosts), func(t *testing.T) {
			r, ids := wide(t, test.hosts, test.groups)
			before := map[string]int{}
			for pass := range 3 {
				found, err := r.Instances(t.Context(), ids)
				if err != nil || len(found) != test.hosts {
					t.Fatalf("got %d instances, %v", len(found), err)
				}
				for action, want := range map[string]int{
					"DescribeInstances": test.instances, "DescribeNetworkInterfaces": test.interfaces,
					"DescribeSecurityGroupAttribute": test.groups, "DescribeSecurityGroups": 0,
				} {
					n := r.calls(action)
					if got := n - before[action]; got != want {
						t.Errorf("pass %d: %d calls of %s, want %d", pass, got, action, want)
					}
					before[action] = n
				}
			}
		})
	}
}

// A VPC with many more interfaces than those of hosts is not listed again and again.
func TestCrowdedVPC(t *testing.T) {
	r, ids := wide(t, 600, 1)
	ids = ids[590:]
	for pass, want := range []int{2, 1, 1} {
		before := r.calls("DescribeNetworkInterfaces")
		found, err := r.Instances(t.Context(), ids)
		if err != nil || len(found) != 10 {
			t.Fatalf("got %d instances, %v", len(found), err)
		}
		for _, i := range found {
			if i.SourceCheck || len(i.Groups) != 1 || i.Emits == nil {
				t.Errorf("pass %d: got %+v", pass, i)
			}
		}
		if got := r.calls("DescribeNetworkInterfaces") - before; got != want {
			t.Errorf("pass %d: %d calls, want %d", pass, got, want)
		}
	}
}

// A steady reading of instances, and every one of the network, takes the time of one call:
// all of its calls are under way at once.
func TestReadsTakeOneRound(t *testing.T) {
	var gate atomic.Pointer[barrier]
	r := rigOf(t, world(), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			gate.Load().pass()
			next.ServeHTTP(w, q)
		})
	})
	w := cloudtest.Small()
	ids := []api.InstanceID{w.Instances[0].ID, w.Instances[1].ID, w.Instances[2].ID}
	gate.Store(newBarrier(0))
	if _, err := r.Instances(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"network":   func() error { _, err := r.Network(t.Context()); return err },
		"instances": func() error { _, err := r.Instances(t.Context(), ids); return err },
	} {
		before := len(r.sim.Requests())
		gate.Store(newBarrier(4)) // instances, interfaces and two groups; VPC, vSwitches, tables and usage
		if err := read(); err != nil {
			t.Fatal(err)
		}
		if gate.Load().late.Load() || len(r.sim.Requests())-before != 4 {
			t.Errorf("%s: not 4 calls at once", name)
		}
	}
}

// barrier holds requests until some number of them came.
type barrier struct {
	mu   sync.Mutex
	want int
	open chan struct{}
	late atomic.Bool
}

func newBarrier(n int) *barrier { return &barrier{want: n, open: make(chan struct{})} }

func (b *barrier) pass() {
	b.mu.Lock()
	if b.want--; b.want == 0 || b.want == -1 {
		close(b.open)
	}
	b.mu.Unlock()
	select {
	case <-b.open:
	case <-time.After(3 * time.Second):
		b.late.Store(true)
	}
}
