package alicloud

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"

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
		if !i.Unread || !i.SourceCheck || i.IP != netip.MustParseAddr("192.168.1.12") || !cloud.Covers(i.Admits, netip.MustParsePrefix("10.0.0.0/8")) {
			t.Errorf("got %+v, want the groups of the instance and the careful reading of the check", i)
		}
		if o := i.Others[0]; !o.SourceCheck || o.Admits != nil || o.Emits != nil || o.IP != netip.MustParseAddr("192.168.0.222") {
			t.Errorf("got %+v, want the careful reading", o)
		}
	}
	if n := r.calls("DescribeNetworkInterfaces"); n != 2 {
		t.Errorf("asked %d times in two readings", n)
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
	if i.Admits == nil || i.Unread || i.Others[0].Admits != nil || !i.Others[0].Unread {
		t.Errorf("got %+v", i)
	}
	// It may drop what another group of the same interface accepts.
	open := cloudtest.Group{ID: "sg-open", Enterprise: true, Rules: []cloudtest.Rule{{Peer: netip.MustParsePrefix("10.0.0.0/8")}}}
	hand{r.sim}.SetGroup(open)
	i.Others[0].Groups = []api.GroupID{open.ID, cloudtest.Enterprise}
	hand{r.sim}.AddInstance(i)
	if i = r.one(t, i.ID); len(i.Others[0].Groups) != 2 || i.Others[0].Admits != nil {
		t.Errorf("got %+v", i.Others)
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

// Members of a basic group may talk among themselves unless it keeps them apart; a rule that
// drops everything comes first.
func TestMembersLetEachOtherIn(t *testing.T) {
	r := newRig(t)
	i := cloudtest.Small().Instances[0]
	member, stranger := netip.MustParsePrefix("192.168.1.12/32"), netip.MustParsePrefix("10.0.0.0/24")
	drop := []alisim.Rule{{Source: netip.MustParsePrefix("192.168.1.0/24"), Policy: "Drop"}}
	for _, test := range []struct {
		group alisim.SecurityGroup
		want  bool
	}{
		{alisim.SecurityGroup{}, true},
		{alisim.SecurityGroup{InnerAccess: "Drop"}, false},
		{alisim.SecurityGroup{Ingress: drop}, false},
		{alisim.SecurityGroup{InnerAccess: "Drop", Ingress: []alisim.Rule{{Group: string(cloudtest.Basic)}}}, true},
	} {
		test.group.ID = string(cloudtest.Basic)
		must(r.sim.SetSecurityGroup(string(i.VPC), test.group))
		got := r.one(t, i.ID)
		if open := cloud.Opens(got.MayAdmit, member, i.Groups); open != test.want {
			t.Errorf("%+v lets members in: %t", test.group, open)
		}
		if cloud.Opens(got.MayAdmit, stranger, nil) {
			t.Errorf("%+v lets containers in", test.group)
		}
	}
}
