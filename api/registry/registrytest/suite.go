// Package registrytest holds what tests of and with a registry need: a Fake in memory, and
// Run, the behaviour that every registry must show.
package registrytest

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
)

// Registry is all that a registry does, by who uses it.
type Registry interface {
	Reader
	Reporter
	Operator
	Publish(ctx context.Context, term api.Term, p api.Publication) error
}

// Reader is what everybody uses.
type Reader interface {
	Snapshot(ctx context.Context) (api.Snapshot, error)
	Watch(ctx context.Context, areas ...api.Area) <-chan struct{}
	Changes(ctx context.Context, limit int) ([]api.Applied, []api.Unreadable, error)
}

// Reporter is what an agent uses.
type Reporter interface {
	Report(ctx context.Context, r api.Report) ([]api.Conflict, error)
	KeepAlive(ctx context.Context, id api.InstanceID, bootID string, ttl time.Duration) error
}

// Operator is what operators use.
type Operator interface {
	Config(ctx context.Context) (api.Config, error)
	PutConfig(ctx context.Context, c api.Config) error
	CreateConfig(ctx context.Context, c api.Config) (bool, error)
}

// Subject is an empty registry under test, and what the world may do to it.
type Subject struct {
	Registry
	Lead   func(name string) api.Term    // a new leader, which ends the former term
	Garble func(key string, newer bool)  // an unreadable record: garbage, or of a newer version
	Expire func(instance api.InstanceID) // ends the host's lease
}

// Run holds a registry to the contract. It asks for an empty one for each test.
func Run(t *testing.T, empty func(*testing.T) Subject) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Subject){
		"report is read back":                 testReport,
		"report writes only news":             testReportNews,
		"report moves claims in one revision": testReportMoves,
		"report refuses what overlaps":        testReportOverlap,
		"report takes what was released":      testReportReleased,
		"report of a host that left":          testReportLeft,
		"report of many subnets":              testReportMany,
		"report of both families":             testReportIPv6,
		"report of many IPv6 addresses":       testReportManyIPv6,
		"report of what is never routed":      testReportNeverRouted,
		"report that is invalid":              testReportInvalid,
		"report over unreadable records":      testReportUnreadable,
		"claims race for one range":           testClaimRace,
		"claims race for one IPv6 range":      testClaimRaceIPv6,
		"claims apart do not race":            testClaimApart,
		"life of a host":                      testLife,
		"presence comes back":                 testPresenceReturns,
		"presence outlives a restart":         testPresenceRestart,
		"snapshot lists what is unreadable":   testUnreadable,
		"watch wakes for its areas":           testWatchAreas,
		"watch coalesces and ends":            testWatchEnds,
		"config is created once":              testConfig,
		"config that is unreadable":           testConfigUnreadable,
		"publish writes what differs":         testPublish,
		"publish releases what is gone":       testPublishRelease,
		"publish in a term that is over":      testPublishDeposed,
		"publish over unreadable records":     testPublishUnreadable,
		"publish keeps the newest changes":    testChanges,
		"publish many routes":                 testPublishMany,
		"calls end with their context":        testContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, empty(t)) })
	}
}

// host is a report of a host with these subnets.
func host(id api.InstanceID, subnets ...string) api.Report {
	r := api.Report{
		Instance: id, Name: "web-" + string(id), Region: "cn-test", VPC: "vpc-1", VSwitch: "vsw-1",
		IP: netip.MustParseAddr("192.168.0.1"), Versions: api.Versions{Agent: "1"},
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	for _, s := range subnets {
		r.Subnets = append(r.Subnets, api.Subnet{Prefix: netip.MustParsePrefix(s), Bridge: "docker0"})
	}
	return r
}

func mustReport(t *testing.T, s Subject, r api.Report) []api.Conflict {
	t.Helper()
	conflicts, err := s.Report(t.Context(), r)
	if err != nil {
		t.Fatalf("Report(%s): %v", r.Instance, err)
	}
	return conflicts
}

func mustSnapshot(t *testing.T, s Subject) api.Snapshot {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	return snapshot
}

// wantClaims compares the claims, each as "prefix instance".
func wantClaims(t *testing.T, s Subject, want ...string) {
	t.Helper()
	var got []string
	for _, c := range mustSnapshot(t, s).Claims {
		got = append(got, c.Prefix.String()+" "+string(c.Instance))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("claims (-want +got):\n%s", diff)
	}
}

// wantHost waits until the host's life is as wanted, and returns it.
func wantHost(t *testing.T, s Subject, id api.InstanceID, want api.Life) api.Host {
	t.Helper()
	var found api.Host
	eventually(t, func() bool {
		for _, h := range mustSnapshot(t, s).Hosts {
			if h.Instance == id {
				found = h
			}
		}
		return found.Life == want
	}, func() string { return string(id) + " is " + string(found.Life) + ", want " + string(want) })
	return found
}

// eventually polls until the condition holds; why says what is the matter if it never does.
func eventually(t *testing.T, condition func() bool, why func() string) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal(why())
		}
	}
}

// wantUnreadable compares the ends of the unreadable records' keys.
func wantUnreadable(t *testing.T, s Subject, want ...string) {
	t.Helper()
	got := mustSnapshot(t, s).Unreadable
	if len(got) != len(want) {
		t.Fatalf("unreadable: %v, want %v", got, want)
	}
	for i, u := range got {
		if !strings.HasSuffix(u.Key, "/"+want[i]) || u.Problem == "" {
			t.Errorf("unreadable: %+v, want key %s and a problem", u, want[i])
		}
	}
}
