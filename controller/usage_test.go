package controller_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// fill puts foreign routes into the first table, from the n-th on.
func (s *site) fill(from, n int) {
	for i := from; i < from+n; i++ {
		d := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 20, byte(i), 0}), 24)
		s.cloud.AddForeign(api.Route{Table: s.world.Network.Tables[0].ID, Destination: d, NextHop: string(three)})
	}
}

func TestQuotaIsForetold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.fill(0, 40)
		s.report(one, "10.0.0.0/24")
		if texts := s.finding(api.FindingQuota); len(texts) > 0 {
			t.Errorf("at 41 of 200: %q", texts)
		}
		for day := range 3 {
			s.fill(40+20*day, 20)
			s.after(24 * time.Hour)
		}
		texts := s.finding(api.FindingQuota)
		want := "table vtb-bp1small0000000000001 holds 101 of 200 routes; at the growth of the last 3 days it is full in "
		if len(texts) != 1 || !strings.Contains(texts[0], want) || !strings.Contains(texts[0], "Please raise the custom route entries") {
			t.Fatalf("got %q, want %s...", texts, want)
		}
		var days int
		if _, err := fmt.Sscanf(texts[0][strings.Index(texts[0], "full in"):], "full in %d", &days); err != nil || days != 2 {
			t.Errorf("99 more at 34 a day: full in %d days (%v)", days, err)
		}
	})
}

func TestFullTableIsNamedWithWhatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.fill(0, 200)
		s.report(one, "10.0.0.0/24")
		texts := s.finding(api.FindingQuota)
		if len(texts) != 1 || !strings.Contains(texts[0], "holds 200 of 200 routes, and 1 more are waiting") {
			t.Errorf("got %q", texts)
		}
	})
}

// full takes no more routes, whatever the quota that it tells, and gives a kind of error.
type full struct {
	cloud.Tables
	kind  error
	asked *int
}

func (f full) Apply(_ context.Context, changes []api.Change, _ cloud.Permit) (out []cloud.Result, err error) {
	for _, c := range changes {
		*f.asked++
		out = append(out, cloud.Result{Change: c, Err: fmt.Errorf("request %d: %w", *f.asked, f.kind)})
	}
	return out, nil
}

// What the cloud refuses for want of room is tried again, and said and written once.
func TestATableThatIsFullEarlyIsNamedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		asked := 0
		s.blind.replace(full{s.cloud, api.ErrQuota, &asked})
		s.report(one, "10.0.0.0/24")
		seen := map[string]bool{}
		for range 100 {
			s.after(3 * time.Second)
			texts := s.finding(api.FindingQuota)
			if len(texts) != 1 || !strings.Contains(texts[0], "holds 0 routes and the cloud takes no more, though --table-quota says 200; 1 are waiting") {
				t.Fatalf("got %q", texts)
			}
			if h := s.host(one); h.State != api.HostRefused {
				t.Fatalf("%s: %s", h.State, h.Why)
			}
			seen[fmt.Sprint(s.status().Routes)] = true
		}
		if asked < 5 || len(seen) != 1 {
			t.Errorf("asked %d times, %d states of the route", asked, len(seen))
		}
		if n := strings.Count(s.registry.String(), "quota exceeded"); n != 1 {
			t.Errorf("%d failures are on record:\n%s", n, s.registry)
		}
	})
}

func TestAFailureIsOnRecordOnce(t *testing.T) {
	for _, kind := range []error{api.ErrBusy, api.ErrThrottled, api.ErrRefused} {
		bubble(t, func(t *testing.T) {
			s := start(t)
			asked := 0
			s.blind.replace(full{s.cloud, kind, &asked})
			s.report(one, "10.0.0.0/24")
			s.after(10 * time.Minute)
			if n := strings.Count(s.registry.String(), "applied"); n != 1 || asked < 3 {
				t.Errorf("%v: asked %d times, %d records:\n%s", kind, asked, n, s.registry)
			}
			s.blind.replace(s.cloud)
			s.after(5 * time.Minute)
			s.want("a 10.0.0.0/24 1")
		})
	}
}

func TestForeignEntryIsAdoptedOnRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		table := s.world.Network.Tables[0].ID
		s.cloud.AddForeign(api.Route{Table: table, Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: string(three)})
		s.report(one, "10.0.0.0/24")
		s.want("a 10.0.0.0/24 3 foreign")
		held := s.status().Pass.Plan.Held
		if len(held) != 1 || held[0].Change.Was == nil || held[0].Change.Was.ID == "" {
			t.Fatalf("the plan does not tell what is in the way: %+v", held)
		}
		c, was := *s.snapshotConfig(), *held[0].Change.Was
		c.Adopt = []api.Adoption{{Table: was.Table, Destination: was.Destination, NextHop: was.NextHop, ID: was.ID}}
		s.configure(c)
		s.want("a 10.0.0.0/24 1")
		sent := s.cloud.Sent()
		if last := sent[len(sent)-1]; last.Verb != api.Replace || last.Reason != api.ReasonAdopted {
			t.Errorf("sent %v", sent)
		}
	})
}

func TestCopiedMarkIsForeignAndNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		mine := api.Route{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24"), Mark: api.Mark{Cluster: cluster, Host: one}}
		copied := api.RouteKey{Table: mine.Table, Destination: netip.MustParsePrefix("10.9.0.0/24")}
		s.cloud.AddForeign(api.Route{Table: copied.Table, Destination: copied.Destination, NextHop: string(three)})
		s.cloud.Label(copied, mine.Mark.Name(), api.Seal{}.Description(mine))
		s.after(time.Minute)
		s.want("a 10.0.0.0/24 1", "a 10.9.0.0/24 3 foreign")
		if texts := s.finding(api.FindingSpoiledMark); len(texts) != 1 || !strings.Contains(texts[0], "10.9.0.0/24") {
			t.Errorf("got %q", texts)
		}
	})
}

// A registry that was restored from an old backup knows less than the marks do.
func TestRestoredRegistryTakesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		snap, err := s.registry.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		far := api.Mark{Cluster: cluster, Host: one, Generation: snap.Revision + 20}
		s.cloud.AddForeign(api.Route{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: string(one), Mark: far})
		s.report(three, "10.2.0.0/24")
		if _, err := s.registry.Report(t.Context(), api.Report{Instance: one, VPC: s.world.Network.VPC, Left: true, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		s.after(time.Hour) // the registry's revision grows past the mark's: that is no evidence
		s.want("a 10.0.0.0/24 1", "a 10.2.0.0/24 3")
		texts := s.finding(api.FindingRegistryOld)
		if len(texts) != 1 || !strings.Contains(texts[0], fmt.Sprintf("configure --accept-generation %d", far.Generation)) {
			t.Errorf("got %q", texts)
		}
		c := *s.snapshotConfig()
		c.Accepted = far.Generation
		s.configure(c)
		s.want("a 10.2.0.0/24 3")
	})
}

// A table that no host is on is not written, and the vSwitches that use it are named.
func TestUncoveredTableIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		texts := s.finding(api.FindingTable)
		if len(texts) != 1 || !strings.Contains(texts[0], string(s.world.Network.VSwitches[1].ID)) {
			t.Errorf("got %q", texts)
		}
		s.report(two, "10.1.0.0/24")
		if texts := s.finding(api.FindingTable); len(texts) > 0 {
			t.Errorf("both tables carry our routes: %q", texts)
		}
	})
}
