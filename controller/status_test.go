package controller_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/registrytest"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/cloudtest"
	"github.com/sealane/sealane/controller"
)

// TestHostState has a row for each thing that can be said of a host, in the order in which
// an operator has to act on them.
func TestHostState(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.0.0/24")
	healthy := func() (api.Host, api.Snapshot) {
		h := api.Host{
			Report: api.Report{
				Instance: "i-a", Name: "web", At: time.Unix(1, 0), Subnets: []api.Subnet{{Prefix: subnet, Bridge: "docker0"}},
				Readiness: api.Readiness{Forwarding: true, Rules: true},
			},
			Life: api.LifeAlive,
		}
		return h, api.Snapshot{
			Routes: []api.RouteStatus{{Destination: subnet, Host: "i-a", Stage: api.StageWritten}},
			Pass:   &api.Pass{Policy: api.PolicyFull},
		}
	}
	conflict := api.Conflict{Destination: subnet, Host: "i-a", Reason: api.ReasonOverlapsClaim, With: subnet, Holder: "i-b (db)"}
	hold := func(reason api.Reason) func(*api.Host, *api.Snapshot) {
		return func(_ *api.Host, s *api.Snapshot) {
			s.Routes[0].Stage, s.Routes[0].Reason = api.StageWanted, reason
			s.Routes[0].Tables = map[api.TableID]api.InTable{"vtb-1": {Stage: api.StageWanted, Reason: reason, Detail: "the numbers"}}
		}
	}
	for _, tc := range []struct {
		name  string
		turn  func(*api.Host, *api.Snapshot)
		state api.HostState
		why   string
	}{
		{"all is well", func(*api.Host, *api.Snapshot) {}, api.HostReady, ""},
		{"left", func(h *api.Host, _ *api.Snapshot) { h.Life = api.LifeLeft }, api.HostGoneAway, "out of service"},
		{"gone", func(h *api.Host, s *api.Snapshot) {
			h.Life, s.Pass.Hosts = api.LifeSilent, lives(api.LifeGone)
		}, api.HostGoneAway, "no longer knows"},
		{"heard, though the cloud does not know it", func(_ *api.Host, s *api.Snapshot) { s.Pass.Hosts = lives(api.LifeGone) }, api.HostDegraded, "does not know"},
		{"left outranks the cloud", func(h *api.Host, s *api.Snapshot) {
			h.Life, s.Pass.Hosts = api.LifeLeft, lives(api.LifeStopped)
		}, api.HostGoneAway, "out of service"},
		{"refused", func(_ *api.Host, s *api.Snapshot) { s.Pass.Plan.Conflicts = []api.Conflict{conflict} }, api.HostRefused, "held by i-b (db)"},
		{"a refusal of a former subnet", func(_ *api.Host, s *api.Snapshot) {
			old := conflict
			old.Destination = netip.MustParsePrefix("10.9.0.0/24")
			s.Pass.Plan.Conflicts = []api.Conflict{old}
		}, api.HostReady, ""},
		{"stopped", func(_ *api.Host, s *api.Snapshot) { s.Pass.Hosts = lives(api.LifeStopped) }, api.HostDegraded, "stopped"},
		{"missing", func(_ *api.Host, s *api.Snapshot) { s.Pass.Hosts = lives(api.LifeMissing) }, api.HostDegraded, "does not know"},
		{"silent", func(h *api.Host, _ *api.Snapshot) { h.Life = api.LifeSilent }, api.HostDegraded, "not heard"},
		{"no bridge yet", func(h *api.Host, _ *api.Snapshot) {
			h.Subnets, h.Findings = nil, []api.Finding{{Code: api.FindingNoBridge, Text: "no docker0 yet"}}
		}, api.HostPending, "no docker0 yet"},
		{"rules not in place", func(h *api.Host, _ *api.Snapshot) { h.Readiness.Rules = false }, api.HostPending, "not prepared"},
		{"no controller yet", func(_ *api.Host, s *api.Snapshot) { s.Routes, s.Pass = nil, nil }, api.HostPending, "no controller"},
		{"before the next pass", func(_ *api.Host, s *api.Snapshot) { s.Routes = nil }, api.HostPending, "next pass"},
		{"not written yet", func(_ *api.Host, s *api.Snapshot) { s.Routes[0].Stage = api.StageWanted }, api.HostPending, "not in every route table"},
		{"foreign in the way", hold(api.ReasonForeignRoute), api.HostRefused, "foreign-route (the numbers)"},
		{"table full", hold(api.ReasonQuota), api.HostRefused, "quota (the numbers)"},
		{"not written, and the pass cannot be read", func(_ *api.Host, s *api.Snapshot) {
			s.Routes[0].Stage, s.Pass = api.StageWanted, nil
		}, api.HostPending, "not in every route table"},
		{"cloud busy", hold(api.ReasonInTransition), api.HostPending, "still working"},
		{"observing", func(_ *api.Host, s *api.Snapshot) {
			s.Routes[0].Stage, s.Pass.Policy = api.StageWanted, api.PolicyObserve
		}, api.HostRefused, "observe"},
		{"a failure of its own", func(h *api.Host, _ *api.Snapshot) {
			h.Findings = []api.Finding{{Code: api.FindingSourceMasked, Severity: api.Failure, Text: "it hurts"}}
		}, api.HostDegraded, "it hurts"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, snap := healthy()
			tc.turn(&h, &snap)
			snap.Hosts = []api.Host{h}
			got := controller.StatusOf("c", snap).Hosts[0]
			if got.State != tc.state || !strings.Contains(got.Why, tc.why) || (tc.why == "") != (got.Why == "") {
				t.Errorf("got %s %q, want %s ...%s...", got.State, got.Why, tc.state, tc.why)
			}
		})
	}
}

func lives(l api.Life) []api.HostLife { return []api.HostLife{{Instance: "i-a", Life: l}} }

func TestBoardShowsTheLastStatusWhenTheRegistryIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := registrytest.NewFake()
		reg.Fail(errors.Join(errors.New("etcd is away"), api.ErrUnreachable))
		board := controller.NewBoard("c", api.Replica{Name: "one"}, reg, 10*time.Second, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- board.Run(ctx) }()
		time.Sleep(time.Minute)
		if _, err := board.Status(); !errors.Is(err, api.ErrUnreachable) {
			t.Errorf("before the first answer: %v", err)
		}

		reg.Fail(nil)
		if _, err := reg.Report(ctx, api.Report{Instance: "i-a", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		term := reg.Lead("one")
		if err := reg.Publish(ctx, term, api.Publication{Pass: api.Pass{Term: term}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		fresh, err := board.Status()
		if err != nil || len(fresh.Hosts) != 1 || !fresh.Registry.Reachable || !fresh.Replica.Leads {
			t.Errorf("got %+v, %v", fresh, err)
		}

		reg.Fail(errors.Join(errors.New("etcd is away"), api.ErrUnreachable))
		time.Sleep(time.Minute)
		stale, err := board.Status()
		if err != nil || len(stale.Hosts) != 1 || stale.Registry.Reachable || !strings.Contains(stale.Registry.Problem, "etcd is away") {
			t.Errorf("got %+v, %v", stale, err)
		}
		if !stale.Registry.ReadAt.Equal(fresh.Registry.ReadAt) && stale.Registry.ReadAt.After(time.Now().Add(-30*time.Second)) {
			t.Errorf("the age must be that of the last answer: %s", stale.Registry.ReadAt)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
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

// halfBlind is a cloud that does not list some tables.
type halfBlind struct {
	cloud.Tables
	mu     sync.Mutex // guards hidden
	hidden []api.TableID
}

func (b *halfBlind) set(hidden ...api.TableID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hidden = hidden
}

// network stands for the network itself among what is hidden.
const network = api.TableID("network")

func (b *halfBlind) Network(ctx context.Context) (cloud.Network, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.hidden, network) {
		return cloud.Network{}, fmt.Errorf("describe the VPC: %w", api.ErrThrottled)
	}
	return b.Tables.Network(ctx)
}

func (b *halfBlind) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.hidden, table) {
		return nil, fmt.Errorf("list %s: %w", table, api.ErrUnreachable)
	}
	return b.Tables.Routes(ctx, table)
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
		// The listing leaves the foreign entry out, as the cloud does with routes it learnt.
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

func (s *site) configure(c api.Config) {
	s.t.Helper()
	if err := s.registry.PutConfig(s.t.Context(), c); err != nil {
		s.t.Fatal(err)
	}
	s.after(time.Second)
}
