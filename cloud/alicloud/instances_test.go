package alicloud

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
)

// Missing permissions make the answer careful, not wrong, and each is said once.
func TestInstancesWithoutPermissions(t *testing.T) {
	var log strings.Builder
	r := newRig(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	r.sim.Fault(alisim.Fault{Action: "DescribeNetworkInterfaces", Code: "Forbidden.RAM", Status: 403, Times: -1})
	id := cloudtest.Small().Instances[1].ID
	for range 2 {
		i := r.one(t, id)
		if !i.SourceCheck || i.IP != netip.MustParseAddr("192.168.1.12") || !cloud.Covers(i.Admits, netip.MustParsePrefix("10.0.0.0/8")) {
			t.Errorf("got %+v, want the groups of the instance and the careful reading of the check", i)
		}
		if o := i.Others[0]; !o.SourceCheck || o.Admits != nil || o.Emits != nil || o.IP != netip.MustParseAddr("192.168.0.222") {
			t.Errorf("got %+v, want the careful reading", o)
		}
	}
	r.sim.Fault(alisim.Fault{Action: "DescribeSecurityGroupAttribute", Code: "Forbidden.RAM", Status: 403, Times: -1})
	for range 2 {
		if i := r.one(t, id); i.Admits != nil || i.Emits != nil {
			t.Errorf("got %+v, want the careful reading", i)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d warnings, want one for each permission:\n%s", n, log.String())
	}
	leaks(t, log.String())
}

func (r rig) one(t *testing.T, id api.InstanceID) cloud.Instance {
	t.Helper()
	found, err := r.Instances(t.Context(), []api.InstanceID{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v", found, err)
	}
	return found[0]
}

// One group that may not be read makes what its members admit unknown, and no other's.
func TestOneGroupWithoutPermission(t *testing.T) {
	r := rigOf(t, world(), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Query().Get("SecurityGroupId") == string(cloudtest.Enterprise) {
				http.Error(w, `{"Code":"Forbidden.RAM","RequestId":"1"}`, http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, q)
		})
	})
	i := r.one(t, cloudtest.Small().Instances[1].ID)
	if i.Admits == nil || i.Others[0].Admits != nil {
		t.Errorf("got %+v", i)
	}
}

// The type of a group whose members are kept apart says whether it lets packets out.
func TestTypeOfGroups(t *testing.T) {
	r := newRig(t)
	i := cloudtest.Small().Instances[0]
	for _, test := range []struct {
		kind string
		emit bool
	}{{alisim.NormalGroup, true}, {alisim.EnterpriseGroup, false}} {
		id := api.GroupID("sg-" + test.kind)
		must(r.sim.SetSecurityGroup(string(i.VPC), alisim.SecurityGroup{ID: string(id), Type: test.kind, InnerAccess: "Drop"}))
		i.Groups = []api.GroupID{id}
		hand{r.sim}.AddInstance(i)
		for range 3 {
			if got := r.one(t, i.ID); cloud.Covers(got.Emits, netip.MustParsePrefix("10.0.0.0/8")) != test.emit {
				t.Errorf("%s: emits %v", test.kind, got.Emits)
			}
		}
	}
	if n := r.calls("DescribeSecurityGroups"); n != 2 {
		t.Errorf("%d calls, want one for each group", n)
	}
}

func TestTypeOfGroupsWithoutPermission(t *testing.T) {
	r := newRig(t)
	i := cloudtest.Small().Instances[0]
	must(r.sim.SetSecurityGroup(string(i.VPC), alisim.SecurityGroup{ID: "sg-apart", InnerAccess: "Drop"}))
	i.Groups = []api.GroupID{"sg-apart"}
	hand{r.sim}.AddInstance(i)
	r.sim.Fault(alisim.Fault{Action: "DescribeSecurityGroups", Code: "Forbidden.RAM", Status: 403, Times: -1})
	if got := r.one(t, i.ID); got.Emits != nil {
		t.Errorf("emits %v, want the careful reading", got.Emits)
	}
}

// A group that is gone since the last time is no trouble.
func TestRemovedGroupIsForgotten(t *testing.T) {
	r := newRig(t)
	id := cloudtest.Small().Instances[0].ID
	r.one(t, id)
	r.last.groups = append(r.last.groups, "sg-gone")
	if i := r.one(t, id); i.Admits == nil {
		t.Errorf("got %+v", i)
	}
}

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

// Any other trouble makes the whole answer fail: half of it would be taken for evidence.
func TestInstancesWithTrouble(t *testing.T) {
	for _, action := range []string{"DescribeInstances", "DescribeNetworkInterfaces", "DescribeSecurityGroupAttribute"} {
		r := newRig(t)
		r.sim.Fault(alisim.Fault{Action: action, HTML: true})
		found, err := r.Instances(t.Context(), []api.InstanceID{api.InstanceID(route(0, 0, 0).NextHop)})
		if !errors.Is(err, api.ErrUnreachable) || found != nil {
			t.Errorf("%s: got %v, %v; want ErrUnreachable", action, found, err)
		}
	}
}

// No id, or an empty one, must not become no filter.
func TestNoInstancesAsked(t *testing.T) {
	r := newRig(t)
	for _, ids := range [][]api.InstanceID{nil, {""}, {"", ""}} {
		if found, err := r.Instances(t.Context(), ids); err != nil || found != nil {
			t.Errorf("%q: got %v, %v", ids, found, err)
		}
	}
	if n := len(r.sim.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
