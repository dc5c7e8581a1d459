package controller_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/registrytest"
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
		{"the rules are unproven", func(h *api.Host, _ *api.Snapshot) {
			h.Findings = []api.Finding{{Code: api.FindingSettings, Severity: api.Warning, Text: "a setting"}, {Code: api.FindingUnproven, Severity: api.Warning, Text: "it is not known"}}
		}, api.HostDegraded, "it is not known"},
		{"not prepared, and the gravest reason comes first", func(h *api.Host, _ *api.Snapshot) {
			h.Readiness.Rules = false
			h.Findings = []api.Finding{{Code: api.FindingSettings, Severity: api.Warning, Text: "a setting"}, {Code: api.FindingDropped, Severity: api.Failure, Text: "a rule drops"}}
		}, api.HostPending, "a rule drops"},
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
		{"the cloud drops its packets", blockedBy(api.FindingSourceCheck), api.HostDegraded, "drops what is sent to its containers (SL-F106)"},
		{"its groups do", blockedBy(api.FindingSecurityGroup), api.HostDegraded, "security groups drop"},
		{"on no vSwitch of ours", blockedBy(api.FindingVSwitch), api.HostDegraded, "vSwitch that the VPC does not have"},
		{"nobody can tell what the cloud does", blockedBy(api.FindingGatesUnread), api.HostDegraded, "not known"},
		{"a code of another version", blockedBy("SL-F999"), api.HostDegraded, "SL-F999"},
		{"not written, and the cloud drops its packets", func(h *api.Host, s *api.Snapshot) {
			blockedBy(api.FindingSourceCheck)(h, s)
			s.Routes[0].Stage = api.StageWanted
		}, api.HostPending, "not in every route table"},
		{"another host is blocked", func(_ *api.Host, s *api.Snapshot) {
			s.Pass.Blocked = []api.Blocked{{Instance: "i-b", Code: api.FindingSourceCheck}}
		}, api.HostReady, ""},
		{"before the cloud can be read", func(_ *api.Host, s *api.Snapshot) { s.Routes, s.Pass.Cloud = nil, "throttled" }, api.HostPending, "until the cloud can be read"},
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

func blockedBy(code api.Code) func(*api.Host, *api.Snapshot) {
	return func(h *api.Host, s *api.Snapshot) { s.Pass.Blocked = []api.Blocked{{Instance: h.Instance, Code: code}} }
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

func (s *site) configure(c api.Config) {
	s.t.Helper()
	if err := s.registry.PutConfig(s.t.Context(), c); err != nil {
		s.t.Fatal(err)
	}
	s.after(time.Second)
}
