package registrytest

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
)

func config() api.Config {
	c := api.DefaultConfig()
	c.Pools = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	return c
}

func testConfig(t *testing.T, s Subject) {
	if _, err := s.Config(t.Context()); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("Config of an empty registry: %v, want %v", err, api.ErrNotFound)
	}
	first, second := config(), config()
	second.Policy = api.PolicyFull
	if created, err := s.CreateConfig(t.Context(), first); !created || err != nil {
		t.Fatalf("CreateConfig: %v, %v", created, err)
	}
	if created, err := s.CreateConfig(t.Context(), second); created || err != nil {
		t.Fatalf("CreateConfig again: %v, %v", created, err)
	}
	if got, err := s.Config(t.Context()); err != nil || !cmp.Equal(got, first, compare()) {
		t.Errorf("Config: %+v, %v", got, err)
	}
	if err := s.PutConfig(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := s.PutConfig(t.Context(), api.Config{}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("PutConfig of nothing: %v, want %v", err, api.ErrInvalid)
	}
	if got := mustSnapshot(t, s).Config; got == nil || !cmp.Equal(*got, second, compare()) {
		t.Errorf("Config in the snapshot: %+v", got)
	}
}

func testConfigUnreadable(t *testing.T, s Subject) {
	s.Garble("config", true)
	if _, err := s.Config(t.Context()); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("Config: %v, want %v", err, api.ErrInvalid)
	}
	if created, err := s.CreateConfig(t.Context(), config()); created || err != nil {
		t.Errorf("CreateConfig over a newer record: %v, %v", created, err)
	}
	if err := s.PutConfig(t.Context(), config()); !errors.Is(err, api.ErrRefused) {
		t.Errorf("PutConfig over a newer record: %v, want %v", err, api.ErrRefused)
	}
	s.Garble("config", false)
	if err := s.PutConfig(t.Context(), config()); err != nil {
		t.Errorf("PutConfig over garbage: %v", err)
	}
	wantUnreadable(t, s)
}

func status(prefix string, stage api.Stage) api.RouteStatus {
	return api.RouteStatus{
		Destination: netip.MustParsePrefix(prefix), Host: "i-a", Stage: stage,
		Tables: map[api.TableID]api.InTable{"vtb-1": {Stage: stage}},
	}
}

func mustPublish(t *testing.T, s Subject, term api.Term, p api.Publication) {
	t.Helper()
	if err := s.Publish(t.Context(), term, p); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

// stages are the published routes, each as "prefix stage".
func stages(s api.Snapshot) []string {
	var got []string
	for _, r := range s.Routes {
		got = append(got, r.Destination.String()+" "+string(r.Stage))
	}
	return got
}

func testPublish(t *testing.T, s Subject) {
	term := s.Lead("one")
	pass := api.Pass{Term: term, At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Revision: 7, Policy: api.PolicyFull}
	mustPublish(t, s, term, api.Publication{
		Routes: []api.RouteStatus{status("10.0.1.0/24", api.StageWanted), status("10.0.0.0/24", api.StageWanted)},
		Pass:   pass,
	})
	before := mustSnapshot(t, s)
	if diff := cmp.Diff([]string{"10.0.0.0/24 wanted", "10.0.1.0/24 wanted"}, stages(before)); diff != "" {
		t.Fatalf("routes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&pass, before.Pass, compare()); diff != "" {
		t.Errorf("pass (-want +got):\n%s", diff)
	}

	changed := status("10.0.0.0/24", api.StageWanted)
	changed.KeepSource = true
	mustPublish(t, s, term, api.Publication{Routes: []api.RouteStatus{changed}, Pass: pass})
	after := mustSnapshot(t, s)
	if len(after.Routes) != 1 || !after.Routes[0].KeepSource {
		t.Fatalf("routes: %+v", after.Routes)
	}
	if since := before.Routes[0].Since; since.IsZero() || !after.Routes[0].Since.Equal(since) {
		t.Errorf("the stage is the same, yet Since went from %s to %s", since, after.Routes[0].Since)
	}
	written := status("10.0.0.0/24", api.StageWritten)
	written.Since = before.Routes[0].Since.Add(time.Hour)
	mustPublish(t, s, term, api.Publication{Routes: []api.RouteStatus{written}, Pass: pass})
	if got := mustSnapshot(t, s).Routes[0].Since; !got.Equal(written.Since) {
		t.Errorf("the stage changed; Since is %s, want %s", got, written.Since)
	}
	twice := api.Publication{Routes: []api.RouteStatus{written, written}}
	if err := s.Publish(t.Context(), term, twice); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("one route twice: %v, want %v", err, api.ErrInvalid)
	}
}

func testPublishRelease(t *testing.T, s Subject) {
	mustReport(t, s, host("i-a", "10.0.0.0/24", "10.0.1.0/24"))
	mustReport(t, s, host("i-b", "10.0.2.0/24"))
	old := s.Lead("one")
	term := s.Lead("two")
	gone := api.Publication{Release: []api.InstanceID{"i-a"}}
	if err := s.Publish(t.Context(), old, gone); !errors.Is(err, api.ErrDeposed) {
		t.Errorf("Publish in a term that is over: %v, want %v", err, api.ErrDeposed)
	}
	wantClaims(t, s, "10.0.0.0/24 i-a", "10.0.1.0/24 i-a", "10.0.2.0/24 i-b")
	mustPublish(t, s, term, gone)
	wantClaims(t, s, "10.0.2.0/24 i-b")
	if refused := mustReport(t, s, host("i-c", "10.0.0.0/24")); len(refused) > 0 {
		t.Errorf("what is released is free, yet refused: %v", refused)
	}
	wantHost(t, s, "i-a", api.LifeRegistered) // its own record stays
}

func testPublishDeposed(t *testing.T, s Subject) {
	old := s.Lead("one")
	mustPublish(t, s, old, api.Publication{Routes: []api.RouteStatus{status("10.0.0.0/24", api.StageWritten)}})
	term := s.Lead("two")
	if term.Revision <= old.Revision {
		t.Fatalf("term %d after term %d", term.Revision, old.Revision)
	}
	before := mustSnapshot(t, s).Revision
	for _, t0 := range []api.Term{old, {}, {Key: "/none"}, {Key: term.Key, Revision: term.Revision + 1}} {
		if err := s.Publish(t.Context(), t0, api.Publication{Pass: api.Pass{Cloud: "old"}}); !errors.Is(err, api.ErrDeposed) {
			t.Errorf("Publish in term %+v: %v, want %v", t0, err, api.ErrDeposed)
		}
	}
	if after := mustSnapshot(t, s); after.Revision != before || len(after.Routes) != 1 {
		t.Errorf("a deposed leader wrote: %+v", after)
	}
	mustPublish(t, s, term, api.Publication{})
	if got := mustSnapshot(t, s).Routes; len(got) != 0 {
		t.Errorf("routes: %+v", got)
	}
}

func testPublishUnreadable(t *testing.T, s Subject) {
	term := s.Lead("one")
	s.Garble("routes/10.0.0.0_24", false)
	s.Garble("routes/10.0.1.0_24", false)
	s.Garble("routes/10.0.2.0_24", true)
	s.Garble("pass", false)
	publication := api.Publication{Routes: []api.RouteStatus{
		status("10.0.0.0/24", api.StageWritten), status("10.0.2.0/24", api.StageWritten), status("10.0.3.0/24", api.StageWritten),
	}}
	if err := s.Publish(t.Context(), term, publication); !errors.Is(err, api.ErrRefused) {
		t.Errorf("Publish over a newer record: %v, want %v", err, api.ErrRefused)
	}
	snapshot := mustSnapshot(t, s)
	if diff := cmp.Diff([]string{"10.0.0.0/24 written", "10.0.3.0/24 written"}, stages(snapshot)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if snapshot.Pass == nil {
		t.Error("the pass was not published")
	}
	wantUnreadable(t, s, "routes/10.0.1.0_24", "routes/10.0.2.0_24")
}

func applied(i int) api.Applied {
	return api.Applied{
		At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Millisecond),
		Change: api.Change{
			Verb: api.Create, Reason: api.ReasonNewSubnet,
			Route: api.Route{Table: "vtb-1", Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: fmt.Sprintf("i-%d", i)},
		},
	}
}

func testChanges(t *testing.T, s Subject) {
	term := s.Lead("one")
	for i := 0; i < 1040; i += 260 {
		var p api.Publication
		for j := range 260 {
			p.Applied = append(p.Applied, applied(i+j))
		}
		mustPublish(t, s, term, p)
	}
	newest, unreadable, err := s.Changes(t.Context(), 2)
	if err != nil || len(unreadable) != 0 || len(newest) != 2 {
		t.Fatalf("Changes: %v, %v, %v", newest, unreadable, err)
	}
	want := applied(1039)
	want.Term = term
	if diff := cmp.Diff(want, newest[0], compare()); diff != "" {
		t.Errorf("the newest change (-want +got):\n%s", diff)
	}
	all, _, err := s.Changes(t.Context(), 5000)
	if err != nil || len(all) != 1000 {
		t.Fatalf("%d changes are kept, %v; want 1000", len(all), err)
	}
	if oldest := all[len(all)-1]; !oldest.At.Equal(applied(40).At) {
		t.Errorf("the oldest change is of %s, want %s", oldest.At, applied(40).At)
	}
}

func testPublishMany(t *testing.T, s Subject) {
	term := s.Lead("one")
	var p api.Publication
	for i := range 700 {
		p.Routes = append(p.Routes, status(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), api.StageWritten))
	}
	mustPublish(t, s, term, p)
	if n := len(mustSnapshot(t, s).Routes); n != 700 {
		t.Fatalf("%d routes, want 700", n)
	}
	mustPublish(t, s, term, api.Publication{Routes: p.Routes[:1]})
	if n := len(mustSnapshot(t, s).Routes); n != 1 {
		t.Fatalf("%d routes, want 1", n)
	}
}
