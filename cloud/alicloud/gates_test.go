package alicloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
)

var ten = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

const empty = api.GroupID("sg-empty")

// gateRig has a basic group without rules.
func gateRig(t *testing.T) rig {
	t.Helper()
	r := newRig(t)
	hand{r.sim}.SetGroup(cloudtest.Group{ID: empty})
	return r
}

// gates are the three ways to change one, each with what tells that it is done.
var gates = map[string]struct {
	action  string
	prepare func(rig)
	change  func(context.Context, rig, cloud.Permit) error
	done    func(rig) bool
}{
	"check": {
		"ModifyNetworkInterfaceAttribute", func(rig) {},
		func(ctx context.Context, r rig, permit cloud.Permit) error {
			_, err := r.SetSourceCheck(ctx, cloudtest.Small().Instances[2].Interface.ID, false, permit)
			return err
		},
		func(r rig) bool { return !r.sim.Snapshot().Instances[2].SourceDestCheck },
	},
	"admit": {
		"AuthorizeSecurityGroup", func(rig) {},
		func(ctx context.Context, r rig, permit cloud.Permit) error {
			return r.Admit(ctx, empty, "c", ten, permit)
		},
		func(r rig) bool { return len(hand{r.sim}.Rules(empty)) == 1 },
	},
	"revoke": {
		"RevokeSecurityGroup", func(r rig) { must(r.Admit(context.Background(), empty, "c", ten, cloud.Always)) },
		func(ctx context.Context, r rig, permit cloud.Permit) error {
			_, err := r.Revoke(ctx, empty, "c", permit)
			return err
		},
		func(r rig) bool { return len(hand{r.sim}.Rules(empty)) == 0 },
	},
}

// What the answer to a write says is not believed where it leaves doubt.
func TestGatesAndTheirAnswers(t *testing.T) {
	for name, gate := range gates {
		for what, test := range map[string]struct {
			fault alisim.Fault
			want  error
			done  bool
		}{
			"well":                       {alisim.Fault{Delay: time.Millisecond}, nil, true},
			"work done, answer lost":     {alisim.Fault{Reset: true, After: true}, nil, true},
			"work done, error of server": {alisim.Fault{Code: "InternalError", Status: 500, After: true}, nil, true},
			"work done, page of gateway": {alisim.Fault{HTML: true, After: true}, nil, true},
			"request lost":               {alisim.Fault{Reset: true}, api.ErrUnknown, false},
			"success that did nothing":   {alisim.Fault{Nothing: true}, api.ErrUnknown, false},
			"denied":                     {alisim.Fault{Code: "Forbidden.RAM", Status: 403}, api.ErrDenied, false},
			"throttled":                  {alisim.Fault{Code: "Throttling.User", Status: 400}, api.ErrThrottled, false},
			"too many rules":             {alisim.Fault{Code: "AuthorizationLimitExceed", Status: 403}, api.ErrQuota, false},
			"refused":                    {alisim.Fault{Code: "InvalidOperation.ResourceManagedByCloudProduct", Status: 403}, api.ErrInvalid, false},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				bubble(t, func(t *testing.T, r rig) {
					hand{r.sim}.SetGroup(cloudtest.Group{ID: empty})
					gate.prepare(r)
					test.fault.Action = gate.action
					r.sim.Fault(test.fault)
					err := gate.change(t.Context(), r, cloud.Always)
					if !errors.Is(err, test.want) || err == nil != (test.want == nil) || gate.done(r) != test.done {
						t.Errorf("got %v, done %t; want %v, %t", err, gate.done(r), test.want, test.done)
					}
					if n := r.calls(gate.action); n != 1 {
						t.Errorf("sent %d times", n)
					}
					leaks(t, fmt.Sprint(err))
					if err := gate.change(t.Context(), r, cloud.Always); err != nil || !gate.done(r) {
						t.Errorf("the next time: %v, done %t", err, gate.done(r))
					}
				}, shortly)
			})
		}
	}
}

// What is so already is not written.
func TestGatesWriteNothingTwice(t *testing.T) {
	for name, gate := range gates {
		r := gateRig(t)
		gate.prepare(r)
		for range 3 {
			must(gate.change(t.Context(), r, cloud.Always))
		}
		if n := r.calls(gate.action); n != 1 {
			t.Errorf("%s: written %d times", name, n)
		}
	}
}

// Writes carry a token, so that a request which a proxy repeats is no second one.
func TestGatesCarryTokens(t *testing.T) {
	r := gateRig(t)
	must(r.Admit(t.Context(), empty, "c", ten, cloud.Always))
	_, err := r.Revoke(t.Context(), empty, "c", cloud.Always)
	must(err)
	seen := map[string]bool{"": true}
	for _, q := range r.sim.Requests() {
		if strings.Contains(q.Action, "SecurityGroup") && !strings.HasPrefix(q.Action, "Describe") {
			if seen[q.Params["ClientToken"]] {
				t.Errorf("%s: token %q", q.Action, q.Params["ClientToken"])
			}
			seen[q.Params["ClientToken"]] = true
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d writes, want 2", len(seen)-1)
	}
}

// Groups and interfaces of another VPC are none of ours.
func TestGatesOfAnotherVPC(t *testing.T) {
	seed := world()
	seed.VPCs = append(seed.VPCs, alisim.VPC{
		ID: "vpc-other", CIDR: netip.MustParsePrefix("172.16.0.0/16"), SecurityGroups: []alisim.SecurityGroup{{ID: "sg-other"}},
		VSwitches: []alisim.VSwitch{{ID: "vsw-other", CIDR: netip.MustParsePrefix("172.16.0.0/24")}},
	})
	seed.Instances = append(seed.Instances, alisim.Instance{
		ID: "i-other", VSwitch: "vsw-other", IP: netip.MustParseAddr("172.16.0.9"), ENI: "eni-other", SourceDestCheck: true, SecurityGroups: []string{"sg-other"},
	})
	r := rigOf(t, seed, func(h http.Handler) http.Handler { return h })
	_, err := r.Revoke(t.Context(), "sg-other", "c", cloud.Always)
	_, unknown := r.SetSourceCheck(t.Context(), "eni-other", false, cloud.Always)
	for _, err := range []error{err, r.Admit(t.Context(), "sg-other", "c", ten, cloud.Always), unknown} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	// Its interface is known all the same, as it is.
	if i := r.one(t, "i-other"); !i.SourceCheck || i.VPC != "vpc-other" || i.Emits == nil {
		t.Errorf("got %+v", i)
	}
}

// A call takes 100 rules.
func TestAdmitAndRevokeMany(t *testing.T) {
	r := gateRig(t)
	var pools []netip.Prefix
	for n := range byte(150) {
		pools = append(pools, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 0, 0}), 17))
	}
	must(r.Admit(t.Context(), empty, "c", pools, cloud.Always))
	n, err := r.Revoke(t.Context(), empty, "c", cloud.Always)
	if err != nil || n != 150 {
		t.Errorf("got %d, %v", n, err)
	}
	if a, b := r.calls("AuthorizeSecurityGroup"), r.calls("RevokeSecurityGroup"); a != 2 || b != 2 {
		t.Errorf("%d and %d calls, want 2 each", a, b)
	}
}

// Somebody else removes a rule between our look and our call.
func TestRevokeMeetsAnother(t *testing.T) {
	for what, taken := range map[string]int{"one": 1, "all": 3} {
		var r rig
		once := false
		r = rigOf(t, world(), func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				if q.URL.Query().Get("Action") == "RevokeSecurityGroup" && !once {
					once = true
					g, err := r.readGroup(q.Context(), empty)
					must(err)
					must(r.revoke(q.Context(), empty, ingress, "c", g.marked(ingress, "c")[:taken], cloud.Always))
				}
				next.ServeHTTP(w, q)
			})
		})
		hand{r.sim}.SetGroup(cloudtest.Group{ID: empty})
		must(r.Admit(t.Context(), empty, "c", append([]netip.Prefix{netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("172.16.0.0/12")}, ten...), cloud.Always))
		if n, err := r.Revoke(t.Context(), empty, "c", cloud.Always); err != nil || n != 3 {
			t.Errorf("%s: got %d, %v", what, n, err)
		}
		if left := (hand{r.sim}).Rules(empty); len(left) != 0 {
			t.Errorf("%s: left %+v", what, left)
		}
	}
}

// Where the listing gives no rule ids, rules are named by what they say.
func TestRevokeWithoutIDs(t *testing.T) {
	ids := regexp.MustCompile(`"SecurityGroupRuleId":"[^"]*"`)
	r := rigOf(t, world(), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			record := httptest.NewRecorder()
			next.ServeHTTP(record, q)
			w.WriteHeader(record.Code)
			_, err := io.Copy(w, bytes.NewReader(ids.ReplaceAll(record.Body.Bytes(), []byte(`"SecurityGroupRuleId":""`))))
			must(err)
		})
	})
	foreign := cloudtest.Rule{Peer: netip.MustParsePrefix("10.0.0.0/9"), Priority: 3}
	hand{r.sim}.SetGroup(cloudtest.Group{ID: empty, Enterprise: true, Rules: []cloudtest.Rule{foreign}})
	must(r.Admit(t.Context(), empty, "c", append([]netip.Prefix{netip.MustParsePrefix("fd00::/8")}, ten...), cloud.Always))
	if n, err := r.Revoke(t.Context(), empty, "c", cloud.Always); err != nil || n != 4 {
		t.Errorf("got %d, %v", n, err)
	}
	if left := (hand{r.sim}).Rules(empty); len(left) != 1 || left[0].Peer != foreign.Peer {
		t.Errorf("left %+v", left)
	}
}

// The permit ends while rules are added: what was added is known, and no more is sent.
func TestAdmitWithoutPermit(t *testing.T) {
	r := gateRig(t)
	hand{r.sim}.SetGroup(cloudtest.Group{ID: empty, Enterprise: true})
	stop, asked := errors.New("no longer"), 0
	permit := func() error {
		if asked++; asked > 1 {
			return stop
		}
		return nil
	}
	if err := r.Admit(t.Context(), empty, "c", ten, permit); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if rules := (hand{r.sim}).Rules(empty); len(rules) != 1 || rules[0].Egress {
		t.Errorf("got %+v", rules)
	}
}
