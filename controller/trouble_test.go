package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/cloudtest"
)

func TestUnreadableRecordHoldsDeletes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(three, "10.2.0.0/24")
		s.registry.Garble("hosts/"+string(one), true)
		s.after(time.Hour)
		s.want("a 10.0.0.0/24 1", "a 10.2.0.0/24 3")
		s.report(three, "10.3.0.0/24") // its old route may not go while the view is incomplete
		s.want("a 10.0.0.0/24 1", "a 10.2.0.0/24 3", "a 10.3.0.0/24 3")
		if !slices.ContainsFunc(s.status().Routes, func(r api.RouteStatus) bool { return r.Host == one && r.Stage == api.StageWritten }) {
			t.Error("what was published of the unreadable host must stay")
		}
		s.registry.Mend("hosts/" + string(one))
		s.after(time.Minute)
		s.want("a 10.0.0.0/24 1", "a 10.3.0.0/24 3")
	})
}

func TestCloudErrorsPassOn(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults cloudtest.Faults
	}{
		{"throttled", cloudtest.Faults{Throttled: 3}},
		{"failing", cloudtest.Faults{Failing: 4}},
		{"busy", cloudtest.Faults{Busy: 3}},
		{"lost answers", cloudtest.Faults{Lost: 2}},
		{"lies", cloudtest.Faults{Lies: 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := start(t)
				s.cloud.Break(tc.faults)
				s.report(one, "10.0.0.0/24")
				s.after(10 * time.Minute)
				s.want("a 10.0.0.0/24 1")
				if h := s.host(one); h.State != api.HostReady {
					t.Errorf("%s: %s", h.State, h.Why)
				}
			})
		})
	}
}

func TestDeniedIsSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.cloud.Break(cloudtest.Faults{Denied: true})
		s.report(one, "10.0.0.0/24")
		s.after(time.Minute)
		findings := s.status().Findings
		if !slices.ContainsFunc(findings, func(f api.Finding) bool {
			return f.Code == api.FindingCloud && strings.Contains(f.Text, api.ErrDenied.Error())
		}) {
			t.Errorf("findings %v", findings)
		}
	})
}

func TestRegistryOutageChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.registry.Fail(errors.Join(errors.New("etcd is away"), api.ErrUnreachable))
		s.cloud.Remove(api.RouteKey{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24")})
		s.after(time.Hour)
		s.want()
		s.registry.Fail(nil)
		s.after(5 * time.Minute)
		s.want("a 10.0.0.0/24 1")
	})
}

func TestDeposedLeaderWritesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.run("controller-2")
		before := s.status().Pass.Term
		s.elector.lose()
		s.after(time.Minute)
		after := s.status().Pass.Term
		if after.Revision <= before.Revision || after.Leader == before.Leader {
			t.Errorf("term %+v, then %+v", before, after)
		}
		s.report(two, "10.1.0.0/24")
		s.want("a 10.0.0.0/24 1", "a 10.1.0.0/24 2", "b 10.0.0.0/24 1", "b 10.1.0.0/24 2")
	})
}

func TestUnreadTableKeepsItsStage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(two, "10.1.0.0/24")
		before := s.status().Routes
		for _, blind := range [][]api.TableID{{s.world.Network.Tables[1].ID}, {s.world.Network.Tables[0].ID, s.world.Network.Tables[1].ID}} {
			s.blind.set(blind...)
			s.after(time.Minute)
			after := s.status()
			if len(after.Routes) != 2 || !after.Routes[0].Equal(before[0]) || !after.Routes[0].Since.Equal(before[0].Since) {
				t.Errorf("not knowing is no news: %+v, then %+v", before, after.Routes)
			}
			if !strings.Contains(after.Pass.Cloud, string(blind[0])) {
				t.Errorf("the pass must name the table that was not read: %q", after.Pass.Cloud)
			}
		}
		s.report(three, "10.2.0.0/24")
		s.blind.set(s.world.Network.Tables[1].ID) // the other table goes on being served
		s.after(time.Minute)
		s.want("a 10.0.0.0/24 1", "a 10.1.0.0/24 2", "a 10.2.0.0/24 3", "b 10.0.0.0/24 1", "b 10.1.0.0/24 2")
		if r := s.status().Routes[2]; r.Stage != api.StageWanted || r.Reason != api.ReasonCloudIncomplete {
			t.Errorf("one table of two is not enough: %s %s", r.Stage, r.Reason)
		}
	})
}

// TestAnOldPlanIsNeverApplied: what a pass published and could not apply is not taken up
// again by a pass that cannot read the cloud, when policy and evidence may have changed.
func TestAnOldPlanIsNeverApplied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		config := *s.snapshotConfig()
		config.Policy = api.PolicyObserve
		s.configure(config)
		s.report(one, "10.5.0.0/24") // planned: create 10.5, delete 10.0
		if n := len(s.status().Pass.Plan.Changes); n != 2 {
			t.Fatalf("%d changes planned", n)
		}
		s.blind.set(network)
		s.report(one, "10.0.0.0/24") // and back again
		config.Policy = api.PolicyFull
		s.configure(config)
		s.after(time.Hour)
		if n := len(s.cloud.Sent()); n != 1 {
			t.Errorf("sent %v", s.cloud.Sent())
		}
		s.blind.set()
		s.after(10 * time.Minute)
		s.want("a 10.0.0.0/24 1")
	})
}

func TestUnreadableConfigChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.registry.Garble("config", true)
		s.report(three, "10.3.0.0/24")
		s.after(time.Hour)
		s.want("a 10.0.0.0/24 1")
		if c := s.status().Conflicts; len(c) > 0 {
			t.Errorf("no claim is refused for want of pools: %v", c)
		}
		s.registry.Mend("config")
		s.after(time.Minute)
		s.want("a 10.0.0.0/24 1", "a 10.3.0.0/24 3")
	})
}

func TestCloudsRefusalIsARefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		// The listing leaves the foreign route out, as the cloud does with routes it learnt.
		s.cloud.AddForeign(api.Route{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: string(three)})
		s.cloud.Break(cloudtest.Faults{Hidden: 1})
		s.report(one, "10.0.0.0/24")
		s.after(time.Minute)
		if h := s.host(one); h.State != api.HostRefused || !strings.Contains(h.Why, string(api.ReasonForeignRoute)) {
			t.Errorf("%s: %s", h.State, h.Why)
		}
	})
}

func TestGoneStaysGoneUnderANewLeader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.report(two, "10.1.0.0/24")
		s.registry.Expire(one)
		s.cloud.RemoveInstance(one)
		s.after(5 * time.Minute)
		s.run("controller-2")
		s.elector.lose()
		s.after(10 * time.Second)
		if h := s.host(one); h.State != api.HostGoneAway {
			t.Errorf("%s: %s", h.State, h.Why)
		}
	})
}

func TestVSwitchIsTheCloudsWord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		r := api.Report{
			Instance: two, VPC: s.world.Network.VPC, VSwitch: "vsw-typo", Readiness: api.Readiness{Forwarding: true, Rules: true}, At: time.Now(),
			Subnets: []api.Subnet{{Prefix: netip.MustParsePrefix("10.1.0.0/24"), Bridge: "docker0"}},
		}
		if _, err := s.registry.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.registry.Alive(two)
		s.after(time.Second)
		s.want("b 10.1.0.0/24 2")
	})
}

// halfBlind is a cloud that does not list some tables, and counts its reads.
type halfBlind struct {
	cloud.Tables
	mu     sync.Mutex // guards all below
	hidden []api.TableID
	read   reads
}

// replace puts another cloud behind it.
func (b *halfBlind) replace(next cloud.Tables) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Tables = next
}

type reads struct{ networks, routes, instances int }

func (b *halfBlind) counts() reads {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read
}

func (b *halfBlind) Instances(ctx context.Context, ids []api.InstanceID) ([]cloud.Instance, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read.instances++
	if slices.Contains(b.hidden, instances) {
		return nil, fmt.Errorf("describe the instances: %w", api.ErrThrottled)
	}
	return b.Tables.Instances(ctx, ids)
}

func (b *halfBlind) set(hidden ...api.TableID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hidden = hidden
}

// network stands for the network itself among what is hidden.
const network = api.TableID("network")

// instances stands for them.
const instances = api.TableID("instances")

func (b *halfBlind) Network(ctx context.Context) (cloud.Network, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read.networks++
	if slices.Contains(b.hidden, network) {
		return cloud.Network{}, fmt.Errorf("describe the VPC: %w", api.ErrThrottled)
	}
	return b.Tables.Network(ctx)
}

func (b *halfBlind) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read.routes++
	if slices.Contains(b.hidden, table) {
		return nil, fmt.Errorf("list %s: %w", table, api.ErrUnreachable)
	}
	return b.Tables.Routes(ctx, table)
}
