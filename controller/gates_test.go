package controller_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/cloudtest"
)

// finding returns the texts and fixes of the findings of a code.
func (s *site) finding(code api.Code) (texts []string) {
	s.t.Helper()
	for _, f := range s.status().Findings {
		if f.Code == code {
			texts = append(texts, f.Text+"; "+f.Fix)
		}
	}
	return texts
}

func (s *site) sourceCheck(id api.InstanceID) bool {
	s.t.Helper()
	found, err := s.cloud.Instances(s.t.Context(), []api.InstanceID{id})
	if err != nil || len(found) != 1 {
		s.t.Fatalf("%v, %v", found, err)
	}
	return found[0].SourceCheck
}

// narrow makes the hosts' group admit nobody.
func (s *site) narrow() { s.cloud.SetGroup(cloudtest.Group{ID: cloudtest.Basic}) }

func TestGatesAreNotTouchedUnlessToldTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.narrow()
		s.report(three, "10.2.0.0/24")
		s.after(time.Minute)
		if !s.sourceCheck(three) || len(s.cloud.Rules(cloudtest.Basic)) > 0 {
			t.Error("a gate was opened though nobody said so")
		}
		for code, call := range map[api.Code]string{
			api.FindingSourceCheck:   "aliyun ecs ModifyNetworkInterfaceAttribute --NetworkInterfaceId eni-bp1small0000000000003 --SourceDestCheck false",
			api.FindingSecurityGroup: "aliyun ecs AuthorizeSecurityGroup --SecurityGroupId sg-bp1small00000000000001 --Permissions.1.SourceCidrIp 10.0.0.0/8",
		} {
			if texts := s.finding(code); len(texts) != 1 || !strings.Contains(texts[0], call) {
				t.Errorf("%s: %q, want the call %s", code, texts, call)
			}
		}
	})
}

func TestGatesAreOpenedWhenToldTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.narrow()
		s.report(three, "10.2.0.0/24")
		c := *s.snapshotConfig()
		c.Manage = []api.Manage{api.ManageSourceCheck, api.ManageSecurityGroup}
		s.configure(c)
		if s.sourceCheck(three) {
			t.Error("the source/destination check is still on")
		}
		if rules := s.cloud.Rules(cloudtest.Basic); len(rules) != 1 || rules[0].Peer != c.Pools[0] {
			t.Errorf("rules %+v", rules)
		}
		st := s.status()
		if !st.Routes[0].KeepSource || len(s.finding(api.FindingSourceCheck))+len(s.finding(api.FindingSecurityGroup)) > 0 {
			t.Errorf("not seen to be open: %+v %+v", st.Routes[0], st.Findings)
		}
		want := []api.InterfaceID{"eni-bp1small0000000000003"}
		s.after(5 * time.Minute)
		if got := s.status().Pass.Opened; !slices.Equal(got, want) {
			t.Errorf("opened %v, want %v remembered", got, want)
		}
	})
}

func TestAGateThatStaysShutIsNamedAndNotHammered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		drop := cloudtest.Rule{Drop: true, Peer: netip.MustParsePrefix("10.0.0.0/8"), Priority: 1}
		s.cloud.SetGroup(cloudtest.Group{ID: cloudtest.Basic, Rules: []cloudtest.Rule{drop}})
		s.report(one, "10.0.0.0/24")
		c := *s.snapshotConfig()
		c.Manage = []api.Manage{api.ManageSecurityGroup}
		s.configure(c)
		s.after(time.Minute)
		if texts := s.finding(api.FindingManage); len(texts) != 1 || !strings.Contains(texts[0], "a rule of priority 1 drops some of 10.0.0.0/8") {
			t.Errorf("findings %q", texts)
		}
		// --manage replaces the list: what a finding tells to type must not take anything off it.
		s.report(three, "10.2.0.0/24")
		if texts := s.finding(api.FindingSourceCheck); len(texts) != 1 || !strings.Contains(texts[0], "configure --manage security-group,source-dest-check") {
			t.Errorf("findings %q", texts)
		}
		// The operator mends it by hand: it is taken up at the next try.
		s.narrow()
		s.after(11 * time.Minute)
		if texts := s.finding(api.FindingManage); len(texts) > 0 || len(s.cloud.Rules(cloudtest.Basic)) != 1 {
			t.Errorf("findings %q, rules %v", texts, s.cloud.Rules(cloudtest.Basic))
		}
	})
}

// A rule in one group does not help where another group of the interface drops more.
func TestAGateThatOpensInVainIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.narrow()
		const other = api.GroupID("sg-zzz")
		drop := cloudtest.Rule{Drop: true, Peer: netip.MustParsePrefix("10.0.0.0/8"), Priority: 1}
		s.cloud.SetGroup(cloudtest.Group{ID: other, Rules: []cloudtest.Rule{drop}})
		instance := s.world.Instances[0]
		instance.Groups = append(instance.Groups, other)
		s.cloud.AddInstance(instance)
		s.report(one, "10.0.0.0/24")
		c := *s.snapshotConfig()
		c.Manage = []api.Manage{api.ManageSecurityGroup}
		s.configure(c)
		before := s.blind.counts()
		s.after(5 * time.Minute)
		if now := s.blind.counts(); now.networks > before.networks+11 {
			t.Errorf("%d full readings in five minutes", now.networks-before.networks)
		}
		if texts := s.finding(api.FindingManage); len(texts) != 1 || !strings.Contains(texts[0], "something else still keeps packets back") {
			t.Errorf("findings %q", texts)
		}
		s.cloud.SetGroup(cloudtest.Group{ID: other})
		s.after(time.Minute)
		if texts := s.finding(api.FindingManage); len(texts) > 0 {
			t.Errorf("it is open now: %q", texts)
		}
	})
}

// A host whose uplink is a secondary interface is reached by it, and judged by it.
func TestSecondaryInterfaceAsUplink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		r := api.Report{
			Instance: two, VPC: s.world.Network.VPC, VSwitch: s.world.Network.VSwitches[0].ID, IP: netip.MustParseAddr("192.168.0.22"),
			Uplink: "eni-bp1small0000000000012", Readiness: api.Readiness{Forwarding: true, Rules: true}, At: time.Now(),
			Subnets: []api.Subnet{{Prefix: netip.MustParsePrefix("10.1.0.0/24"), Bridge: "docker0"}},
		}
		if _, err := s.registry.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.registry.Alive(two)
		s.after(time.Second)
		routes, err := s.cloud.Routes(t.Context(), s.world.Network.Tables[0].ID)
		if err != nil || len(routes) != 1 || routes[0].NextHop != "eni-bp1small0000000000012" || routes[0].HopType != api.HopInterface {
			t.Fatalf("routes %v, %v", routes, err)
		}
		if other, _ := s.cloud.Routes(t.Context(), s.world.Network.Tables[1].ID); len(other) > 0 {
			t.Errorf("the primary interface's table was written: %v", other)
		}
		if st := s.status().Routes[0]; st.Stage != api.StageWritten || !st.KeepSource {
			t.Errorf("%+v", st)
		}
		r.Left, r.Subnets = true, nil
		if _, err := s.registry.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.after(time.Second)
		s.want()
	})
}
