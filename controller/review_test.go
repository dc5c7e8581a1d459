package controller_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/cloudtest"
)

// uplinked is a report of a host that names an interface as its uplink.
func (s *site) uplinked(id api.InstanceID, eni api.InterfaceID, subnet string) {
	s.t.Helper()
	r := api.Report{
		Instance: id, VPC: s.world.Network.VPC, VSwitch: s.world.Network.VSwitches[0].ID, IP: netip.MustParseAddr("192.168.0.11"),
		Uplink: eni, Readiness: api.Readiness{Forwarding: true, Rules: true}, At: time.Now(),
		Subnets: []api.Subnet{{Prefix: netip.MustParsePrefix(subnet), Bridge: "docker0"}},
	}
	if _, err := s.registry.Report(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
	s.registry.Alive(id)
	s.after(time.Second)
}

// A host that names somebody else's interface gets no route, and opens no gate of theirs.
func TestAnotherHostsInterfaceIsNotBelieved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		c := *s.snapshotConfig()
		c.Manage = []api.Manage{api.ManageSourceCheck}
		s.configure(c)
		s.uplinked(one, s.world.Instances[2].Interface.ID, "10.0.0.0/24")
		s.after(2 * time.Minute)
		s.want()
		if !s.sourceCheck(three) || len(s.status().Pass.Opened) > 0 {
			t.Errorf("a check was switched off: %v", s.status().Pass.Opened)
		}
		if texts := s.finding(api.FindingHostMissing); !strings.Contains(strings.Join(texts, "\n"), "eni-bp1small0000000000003") {
			t.Errorf("findings %q", texts)
		}
	})
}

// An operator's word for a route is good once: who takes the route back keeps it.
func TestAdoptionIsUsedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		key := api.RouteKey{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24")}
		s.cloud.AddForeign(api.Route{Table: key.Table, Destination: key.Destination, NextHop: string(three)})
		s.report(one, "10.0.0.0/24")
		was := *s.status().Pass.Plan.Held[0].Change.Was
		c := *s.snapshotConfig()
		c.Adopt = []api.Adoption{{Table: was.Table, Destination: was.Destination, NextHop: was.NextHop, ID: was.ID}}
		s.configure(c)
		s.want("a 10.0.0.0/24 1")
		s.after(time.Hour)
		s.cloud.Point(key, string(three))
		s.cloud.Label(key, "mine again", "")
		s.after(5 * time.Minute)
		s.want("a 10.0.0.0/24 3 foreign")
	})
}

// A host that joins on a vSwitch that came up after the last full reading gets its routes there.
func TestNewVSwitchIsSeenWithTheHostOnIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.after(31 * time.Second)
		n := s.world.Network
		n.Tables = append(slices.Clone(n.Tables), cloud.Table{ID: "vtb-new", Quota: 200})
		n.VSwitches = append(slices.Clone(n.VSwitches), cloud.VSwitch{ID: "vsw-new", CIDR: netip.MustParsePrefix("192.168.9.0/24"), Table: "vtb-new"})
		s.cloud.SetNetwork(n)
		instance := s.world.Instances[1]
		instance.Interface.VSwitch, instance.Others = "vsw-new", nil
		s.cloud.AddInstance(instance)
		s.report(two, "10.1.0.0/24")
		routes, err := s.cloud.Routes(t.Context(), "vtb-new")
		if err != nil || len(routes) != 2 {
			t.Errorf("the new table holds %v, %v", routes, err)
		}
		if texts := s.finding(api.FindingVSwitch); len(texts) > 0 {
			t.Errorf("findings %q", texts)
		}
	})
}

// Only what the controller itself switched off is on record for cleanup.
func TestAnOpenGateIsNobodysToClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(three, "10.2.0.0/24")
		s.after(31 * time.Second)
		if _, err := s.cloud.SetSourceCheck(t.Context(), s.world.Instances[2].Interface.ID, false, cloud.Always); err != nil { // by hand
			t.Fatal(err)
		}
		c := *s.snapshotConfig()
		c.Manage = []api.Manage{api.ManageSourceCheck}
		s.configure(c) // the view is of before
		s.after(time.Minute)
		if opened := s.status().Pass.Opened; len(opened) > 0 {
			t.Errorf("on record as switched off: %v", opened)
		}
	})
}

// While the cloud does not answer, events do not bring the next question forward.
func TestEventsDoNotHammerACloudThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.cloud.Break(cloudtest.Faults{Denied: true})
		s.after(time.Minute)
		before := s.blind.counts()
		for n := range 60 {
			c := *s.snapshotConfig()
			c.Guard.MaxDeletes = 5 + n
			s.configure(c)
		}
		if now := s.blind.counts(); now.networks-before.networks > 5 {
			t.Errorf("%d looks in a minute of events", now.networks-before.networks)
		}
		s.cloud.Break(cloudtest.Faults{})
		s.after(3 * time.Minute)
		s.want("a 10.0.0.0/24 1")
	})
}

// The subnet of a host that is gone is not given away while any route still leads to it.
func TestClaimIsKeptWhileAnythingLeadsToTheHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.cloud.AddForeign(api.Route{Table: s.world.Network.Tables[0].ID, Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: string(one)})
		s.report(one, "10.0.0.0/24")
		s.registry.Expire(one)
		s.cloud.RemoveInstance(one)
		s.report(three, "10.2.0.0/24")
		s.after(10 * time.Minute)
		if h := s.host(one); h.Life != api.LifeGone || len(h.Claims) != 1 {
			t.Errorf("life %s, claims %v", h.Life, h.Claims)
		}
	})
}
