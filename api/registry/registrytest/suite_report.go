package registrytest

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealane/sealane/api"
)

func testReport(t *testing.T, s Subject) {
	r := host("i-a", "10.0.0.0/24", "10.9.0.0/16")
	r.Findings = []api.Finding{{Code: api.FindingNoUplink, Severity: api.Warning, Text: "none"}}
	if conflicts := mustReport(t, s, r); len(conflicts) != 0 {
		t.Fatalf("conflicts: %v", conflicts)
	}
	mustReport(t, s, host("i-0"))
	snapshot := mustSnapshot(t, s)
	if !snapshot.Complete() || len(snapshot.Hosts) != 2 || snapshot.Config != nil || snapshot.Pass != nil {
		t.Fatalf("snapshot: %+v", snapshot)
	}
	got := snapshot.Hosts[1]
	if diff := cmp.Diff(r, got.Report, compare()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got.Life != api.LifeRegistered || len(got.Claims) != 2 || !cmp.Equal(got.Claims, snapshot.Claims, compare()) {
		t.Errorf("host: %+v", got)
	}
	for _, c := range snapshot.Claims {
		if c.Revision <= 0 || c.Revision > snapshot.Revision || c.Since.IsZero() {
			t.Errorf("claim: %+v at revision %d", c, snapshot.Revision)
		}
	}
	wantClaims(t, s, "10.0.0.0/24 i-a", "10.9.0.0/16 i-a")
}

// compare lets cmp look into addresses and prefixes.
func compare() cmp.Options {
	return cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}
}

func testReportNews(t *testing.T, s Subject) {
	r := host("i-a", "10.0.0.0/24")
	mustReport(t, s, r)
	before := mustSnapshot(t, s)
	r.At = r.At.AddDate(1, 0, 0)
	mustReport(t, s, r)
	if after := mustSnapshot(t, s); after.Revision != before.Revision {
		t.Errorf("the same report was written again: revision %d, then %d", before.Revision, after.Revision)
	}
	r.Readiness.Rules = true
	mustReport(t, s, r)
	after := mustSnapshot(t, s)
	if after.Revision == before.Revision || !after.Hosts[0].Readiness.Rules {
		t.Errorf("news was not written: %+v", after.Hosts[0])
	}
	if after.Claims[0].Revision != before.Claims[0].Revision {
		t.Errorf("a claim was renewed: %+v, was %+v", after.Claims[0], before.Claims[0])
	}
}

func testReportMoves(t *testing.T, s Subject) {
	mustReport(t, s, host("i-a", "10.0.0.0/24", "10.0.1.0/24"))
	before := mustSnapshot(t, s).Revision
	mustReport(t, s, host("i-a", "10.0.1.0/24", "10.0.2.0/24"))
	wantClaims(t, s, "10.0.1.0/24 i-a", "10.0.2.0/24 i-a")
	if after := mustSnapshot(t, s).Revision; after != before+1 {
		t.Errorf("revision %d, then %d: want one transaction", before, after)
	}
}

func testReportOverlap(t *testing.T, s Subject) {
	mustReport(t, s, host("i-a", "10.0.4.0/22"))
	for i, subnet := range []string{"10.0.4.0/22", "10.0.5.0/24", "10.0.0.0/16", "10.0.4.0/32", "10.0.0.0/21"} {
		id := api.InstanceID(fmt.Sprintf("i-b%d", i))
		r := host(id, subnet, fmt.Sprintf("10.1.%d.0/24", i))
		got := mustReport(t, s, r)
		want := []api.Conflict{{
			Destination: netip.MustParsePrefix(subnet), Host: id, HostName: r.Name,
			Reason: api.ReasonOverlapsClaim, With: netip.MustParsePrefix("10.0.4.0/22"), Holder: "i-a (web-i-a)",
		}}
		if diff := cmp.Diff(want, got, compare()); diff != "" {
			t.Errorf("conflicts of %s (-want +got):\n%s", subnet, diff)
		}
		if again := mustReport(t, s, r); !cmp.Equal(want, again, compare()) {
			t.Errorf("conflicts when it reports again: %v", again)
		}
	}
	wantClaims(t, s, "10.0.4.0/22 i-a", "10.1.0.0/24 i-b0", "10.1.1.0/24 i-b1", "10.1.2.0/24 i-b2", "10.1.3.0/24 i-b3", "10.1.4.0/24 i-b4")
	for _, h := range mustSnapshot(t, s).Hosts[1:] {
		if len(h.Subnets) != 2 {
			t.Errorf("%s no longer lists what was refused: %v", h.Instance, h.Subnets)
		}
	}
}

func testReportReleased(t *testing.T, s Subject) {
	mustReport(t, s, host("i-a", "10.0.0.0/24"))
	newcomer := host("i-b", "10.0.0.0/25")
	if conflicts := mustReport(t, s, newcomer); len(conflicts) != 1 {
		t.Fatalf("conflicts: %v", conflicts)
	}
	mustReport(t, s, host("i-a"))
	if conflicts := mustReport(t, s, newcomer); len(conflicts) != 0 {
		t.Fatalf("conflicts after the release: %v", conflicts)
	}
	wantClaims(t, s, "10.0.0.0/25 i-b")
}

func testReportLeft(t *testing.T, s Subject) {
	mustReport(t, s, host("i-b", "10.1.0.0/24"))
	r := host("i-a", "10.0.0.0/24")
	mustReport(t, s, r)
	r.Left = true
	if conflicts := mustReport(t, s, r); len(conflicts) != 0 {
		t.Errorf("conflicts: %v", conflicts)
	}
	wantClaims(t, s, "10.1.0.0/24 i-b")
	wantHost(t, s, "i-a", api.LifeLeft)
	wantHost(t, s, "i-b", api.LifeRegistered)
}

func testReportMany(t *testing.T, s Subject) {
	var subnets []string
	for i := range 100 {
		subnets = append(subnets, fmt.Sprintf("10.0.%d.0/24", i))
	}
	mustReport(t, s, host("i-a", subnets...))
	if n := len(mustSnapshot(t, s).Claims); n != 100 {
		t.Fatalf("%d claims, want 100", n)
	}
	mustReport(t, s, host("i-a", "10.0.7.0/24"))
	wantClaims(t, s, "10.0.7.0/24 i-a")
}

func testReportNeverRouted(t *testing.T, s Subject) {
	r := host("i-a", "::ffff:10.0.0.0/120", "0.0.0.0/0", "10.0.0.0/8", "::/0", "fd00::/31", "fd00::/32")
	got := mustReport(t, s, r)
	var reasons []api.Reason
	for _, c := range got {
		reasons = append(reasons, c.Reason)
	}
	want := []api.Reason{api.ReasonNoPrefix, api.ReasonReserved, api.ReasonReserved, api.ReasonReserved}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("reasons of %v (-want +got):\n%s", got, diff)
	}
	wantClaims(t, s, "10.0.0.0/8 i-a", "fd00::/32 i-a")
}

// testReportIPv6 has both families on the same hosts. Neither is in the way of the other.
func testReportIPv6(t *testing.T, s Subject) {
	r := host("i-a", "10.0.0.0/24", "fd00:0:0:1::/64")
	if conflicts := mustReport(t, s, r); len(conflicts) != 0 {
		t.Fatalf("conflicts: %v", conflicts)
	}
	before := mustSnapshot(t, s).Revision
	mustReport(t, s, r)
	if after := mustSnapshot(t, s).Revision; after != before {
		t.Errorf("the same report was written again: revision %d, then %d", before, after)
	}
	for i, subnet := range []string{"fd00:0:0:1::/64", "fd00:0:0:1:5:6:7:8/128", "fd00::/48", "fd00::/32", "fd00:0:0:1::/65"} {
		id := api.InstanceID(fmt.Sprintf("i-b%d", i))
		got := mustReport(t, s, host(id, subnet, fmt.Sprintf("fd01:0:0:2%d::/64", i)))
		if len(got) != 1 || got[0].Reason != api.ReasonOverlapsClaim || got[0].With != netip.MustParsePrefix("fd00:0:0:1::/64") || got[0].Holder != "i-a (web-i-a)" {
			t.Errorf("conflicts of %s: %v", subnet, got)
		}
	}
	wantClaims(t, s, "10.0.0.0/24 i-a", "fd00:0:0:1::/64 i-a", "fd01:0:0:20::/64 i-b0", "fd01:0:0:21::/64 i-b1",
		"fd01:0:0:22::/64 i-b2", "fd01:0:0:23::/64 i-b3", "fd01:0:0:24::/64 i-b4")
	mustReport(t, s, host("i-a", "10.0.0.0/24"))
	if got := mustReport(t, s, host("i-b0", "fd00:0:0:1::/64")); len(got) != 0 {
		t.Errorf("conflicts after the release: %v", got)
	}
}

func testReportManyIPv6(t *testing.T, s Subject) {
	var subnets []string
	for i := range 100 {
		subnets = append(subnets, fmt.Sprintf("fd00::%x/128", i+1))
	}
	mustReport(t, s, host("i-a", subnets...))
	if n := len(mustSnapshot(t, s).Claims); n != 100 {
		t.Fatalf("%d claims, want 100", n)
	}
	mustReport(t, s, host("i-a", "fd00::7/128"))
	wantClaims(t, s, "fd00::7/128 i-a")
}

func testReportInvalid(t *testing.T, s Subject) {
	bits := host("i-a", "10.0.0.0/24")
	bits.Subnets[0].Prefix = netip.MustParsePrefix("10.0.0.1/24")
	none := host("i-a", "10.0.0.0/24")
	none.Subnets[0].Prefix = netip.Prefix{}
	many := host("i-a")
	many.Subnets = make([]api.Subnet, 101)
	for name, r := range map[string]api.Report{
		"host bits": bits, "no prefix": none, "too many": many, "no id": host(""), "strange id": host("../i-a"),
	} {
		if _, err := s.Report(t.Context(), r); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v, want %v", name, err, api.ErrInvalid)
		}
	}
	if snapshot := mustSnapshot(t, s); len(snapshot.Hosts)+len(snapshot.Claims) != 0 || !snapshot.Complete() {
		t.Errorf("something was written: %+v", snapshot)
	}
}

func testReportUnreadable(t *testing.T, s Subject) {
	s.Garble("hosts/i-a", false)
	s.Garble("hosts/i-b", true)
	s.Garble("subnets/10.7.0.0_24", false)
	const six = "subnets/fd00:0000:0000:0007:0000:0000:0000:0000_64"
	s.Garble(six, false)
	wantUnreadable(t, s, "hosts/i-a", "hosts/i-b", "subnets/10.7.0.0_24", six)

	got := mustReport(t, s, host("i-a", "10.0.0.0/24", "10.7.0.0/16", "fd00::/48"))
	if len(got) != 2 || got[0].With != netip.MustParsePrefix("10.7.0.0/24") || got[1].With != netip.MustParsePrefix("fd00:0:0:7::/64") {
		t.Errorf("conflicts: %v, want one with each unreadable claim", got)
	}
	if _, err := s.Report(t.Context(), host("i-b", "10.1.0.0/24")); !errors.Is(err, api.ErrRefused) {
		t.Errorf("report over a newer record: %v, want %v", err, api.ErrRefused)
	}
	wantUnreadable(t, s, "hosts/i-b", "subnets/10.7.0.0_24", six)
	wantClaims(t, s, "10.0.0.0/24 i-a")
}

// testClaimRace lets nested ranges be claimed at once: each contains the next.
func testClaimRace(t *testing.T, s Subject) {
	claimRace(t, s, "10.85.170.85", 12)
}

func testClaimRaceIPv6(t *testing.T, s Subject) {
	claimRace(t, s, "fd00:85:0:85:0:5:6:7", 56)
}

func claimRace(t *testing.T, s Subject, within string, bits int) {
	t.Helper()
	const n = 16
	conflicts := make([][]api.Conflict, n)
	together(n, func(i int) {
		prefix := netip.PrefixFrom(netip.MustParseAddr(within), bits+i).Masked()
		var err error
		conflicts[i], err = s.Report(t.Context(), host(api.InstanceID(fmt.Sprintf("i-%02d", i)), prefix.String()))
		if err != nil {
			t.Errorf("report %d: %v", i, err)
		}
	})
	snapshot := mustSnapshot(t, s)
	if len(snapshot.Claims) != 1 || len(snapshot.Hosts) != n {
		t.Fatalf("%d claims of %d hosts, want one winner of %d: %v", len(snapshot.Claims), len(snapshot.Hosts), n, snapshot.Claims)
	}
	winner := snapshot.Claims[0]
	for i, c := range conflicts {
		id := snapshot.Hosts[i].Instance
		switch {
		case id == winner.Instance && len(c) != 0:
			t.Errorf("the winner was told %v", c)
		case id != winner.Instance && (len(c) != 1 || c[0].With != winner.Prefix):
			t.Errorf("%s was told %v, want a conflict with %s", id, c, winner.Prefix)
		}
	}
}

func testClaimApart(t *testing.T, s Subject) {
	const n = 48
	together(n, func(i int) {
		r := host(api.InstanceID(fmt.Sprintf("i-%02d", i)), fmt.Sprintf("10.0.%d.0/24", i), fmt.Sprintf("10.1.%d.0/24", i))
		if conflicts, err := s.Report(t.Context(), r); err != nil || len(conflicts) != 0 {
			t.Errorf("report %d: %v, %v", i, conflicts, err)
		}
	})
	if got := len(mustSnapshot(t, s).Claims); got != 2*n {
		t.Errorf("%d claims, want %d", got, 2*n)
	}
}

// together runs f n times at the same time and waits for all.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
}
