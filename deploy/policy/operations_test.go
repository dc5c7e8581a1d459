package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/ram"
)

const (
	observe       = "observe.json"
	write         = "write.json"
	remove        = "delete.json"
	sourceCheck   = "manage-source-dest-check.json"
	securityGroup = "manage-security-group.json"
)

const (
	region  = "cn-hangzhou"
	account = "1000000000000001"
	vpc     = "vpc-1"
	group   = "sg-2" // admits nothing, and lets nothing out
)

// Routes that are there from the start, so that every simulator knows them by the same ids.
const (
	moved = iota + 10
	gone
	goneToo
)

func pool() netip.Prefix { return netip.MustParsePrefix("10.0.0.0/8") }

func tables() []string { return []string{"vtb-1", "vtb-2"} }

// seed is a world in which every operation has something to do.
func seed() alisim.Seed {
	s := alisim.Example()
	s.Region, s.Account = region, account
	v := &s.VPCs[0]
	v.SecurityGroups = append(v.SecurityGroups, alisim.SecurityGroup{ID: group, Type: "enterprise"})
	for n := moved; n <= goneToo; n++ {
		r := route("vtb-1", n)
		v.Tables[0].Routes = append(v.Tables[0].Routes, alisim.Route{
			Destination: r.Destination, NextHop: r.NextHop, Name: r.Mark.Name(), Description: api.Seal{}.Description(r),
		})
	}
	s.Instances[0].SourceDestCheck = true
	s.Instances[0].SecurityGroups = []string{group}
	return s
}

// filled is a document with its placeholders filled in as README.md says: a line for each
// table.
func filled(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	line := `"acs:vpc:{region}:{account}:routetable/{vtb}"`
	var lines []string
	for _, id := range tables() {
		lines = append(lines, strings.ReplaceAll(line, "{vtb}", id))
	}
	return []byte(strings.NewReplacer(line, strings.NewReplacer("{region}", region, "{account}", account).Replace(strings.Join(lines, ", ")),
		"{region}", region, "{account}", account, "{vpc}", vpc, "{pool}", pool().String()).Replace(string(text)))
}

func policyOf(t *testing.T, name string) ram.Policy {
	t.Helper()
	p, err := ram.Parse(filled(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

// attached is the documents attached together to one user, as one document.
func attached(t *testing.T, names ...string) alisim.Document {
	t.Helper()
	all := struct {
		Version   string
		Statement []json.RawMessage
	}{Version: "1"}
	for _, name := range names {
		one := all
		one.Statement = nil
		if err := json.Unmarshal(filled(t, name), &one); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all.Statement = append(all.Statement, one.Statement...)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return alisim.Document(text)
}

// rig is a provider that looks at a simulator where its key has one policy.
type rig struct {
	*alicloud.Provider
	sim *alisim.Sim
}

func newRig(t *testing.T, policy alisim.Document) rig {
	t.Helper()
	s := seed()
	s.Keys[0].Policy = policy
	sim, err := alisim.New(s, alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.API())
	t.Cleanup(server.Close)
	p, err := alicloud.New(alicloud.Config{
		Region: region, VPC: vpc, Endpoint: server.URL, AccessKeyID: "testid", AccessKeySecret: "testsecret",
		Settle: 5 * time.Second, Poll: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return rig{p, sim}
}

func route(table string, n int) api.Route {
	return api.Route{
		Table: api.TableID(table), NextHop: "i-1", Mark: api.Mark{Cluster: "c", Host: "i-1"},
		Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(n), 0}), 24),
	}
}

func (r rig) apply(ctx context.Context, changes ...api.Change) error {
	results, err := r.Apply(ctx, changes, cloud.Always)
	for _, result := range results {
		err = errors.Join(err, result.Err)
	}
	return err
}

// operations are all that the provider does, by the document that permits it.
func operations() map[string]func(context.Context, rig) error {
	return map[string]func(context.Context, rig) error{
		observe: func(ctx context.Context, r rig) error {
			_, err1 := r.Network(ctx)
			_, err2 := r.Instances(ctx, []api.InstanceID{"i-1", "i-2", "i-3"})
			_, err3 := r.Routes(ctx, "vtb-1")
			return errors.Join(err1, err2, err3)
		},
		write: func(ctx context.Context, r rig) error {
			var creates []api.Change
			for _, table := range tables() {
				creates = append(creates, api.Change{Verb: api.Create, Route: route(table, 1), Reason: api.ReasonNewSubnet})
			}
			err := r.apply(ctx, creates...)
			// Where the batch call is not permitted, which an older policy may do, single ones are made.
			name := r.sim.Fault(alisim.Fault{Action: "CreateRouteEntries", Code: "Forbidden.RAM", Times: -1})
			err = errors.Join(err, r.apply(ctx, api.Change{Verb: api.Create, Route: route("vtb-1", 2), Reason: api.ReasonNewSubnet}))
			r.sim.RemoveFault(name)
			old, now := route("vtb-1", moved), route("vtb-1", moved)
			now.NextHop, now.Mark.Host = "i-2", "i-2"
			return errors.Join(err, r.apply(ctx, api.Change{Verb: api.Replace, Route: now, Was: &old, Reason: api.ReasonMoved}))
		},
		remove: func(ctx context.Context, r rig) error {
			for _, n := range []int{gone, goneToo} {
				if err := r.apply(ctx, api.Change{Verb: api.Delete, Route: route("vtb-1", n), Reason: api.ReasonHostLeft}); err != nil {
					return err
				}
				r.sim.Fault(alisim.Fault{Action: "DeleteRouteEntries", Code: "Forbidden.RAM", Times: -1})
			}
			return nil
		},
		sourceCheck: func(ctx context.Context, r rig) error {
			list, err := r.Instances(ctx, []api.InstanceID{"i-1"})
			if err != nil || len(list) != 1 {
				return fmt.Errorf("%d instances: %w", len(list), err)
			}
			_, err = r.SetSourceCheck(ctx, list[0].Interface.ID, false, cloud.Always)
			return err
		},
		securityGroup: func(ctx context.Context, r rig) error {
			err := r.Admit(ctx, group, "c", []netip.Prefix{pool()}, cloud.Always)
			_, err2 := r.Revoke(ctx, group, "c", cloud.Always)
			return errors.Join(err, err2)
		},
	}
}
