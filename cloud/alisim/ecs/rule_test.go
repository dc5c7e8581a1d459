package ecs_test

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

// rules lists the rules of sg-1 of one direction as the API does.
func rules(t *testing.T, sim *alisim.Sim, direction string) (out []string, ids []string) {
	t.Helper()
	a := simtest.AskECS(t, sim, "DescribeSecurityGroupAttribute", simtest.Args{"SecurityGroupId": "sg-1", "Direction": direction})
	for n := range simtest.Count(a, "Permissions", "Permission") {
		at := func(name string) any { return a.At("Permissions", "Permission", n, name) }
		out = append(out, fmt.Sprint(at("Direction"), " ", at("SourceCidrIp"), at("Ipv6SourceCidrIp"), at("SourceGroupId"), at("DestCidrIp"),
			at("Ipv6DestCidrIp"), at("DestGroupId"), " ", at("IpProtocol"), " ", at("PortRange"), " ", at("Policy"), " ", at("Priority")))
		ids = append(ids, at("SecurityGroupRuleId").(string))
	}
	return out, ids
}

// bare is the example with two groups that hold no rules, and one of the enterprise type.
func bare(s *alisim.Seed) {
	s.VPCs[0].SecurityGroups = []alisim.SecurityGroup{{ID: "sg-1"}, {ID: "sg-2"}, {ID: "sg-e", Type: alisim.EnterpriseGroup}}
}

func TestRulesComeAndGo(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, bare)
	change := func(action string, with simtest.Args) {
		t.Helper()
		all := simtest.Args{"SecurityGroupId": "sg-1"}
		maps.Copy(all, with)
		if a := simtest.AskECS(t, sim, action, all); a.Code() != "" {
			t.Fatalf("%s: %v", action, a.Body)
		}
	}
	change("AuthorizeSecurityGroup", simtest.Args{
		"Permissions.1.IpProtocol": "tcp", "Permissions.1.PortRange": "80/80", "Permissions.1.SourceCidrIp": "172.20.0.0/16",
		"Permissions.2.IpProtocol": "ALL", "Permissions.2.Ipv6SourceCidrIp": "fd00::/16", "Permissions.2.Policy": "drop", "Permissions.2.Priority": "7",
		"Permissions.3.IpProtocol": "ICMP", "Permissions.3.SourceGroupId": "sg-2",
	})
	change("AuthorizeSecurityGroupEgress", simtest.Args{"IpProtocol": "udp", "PortRange": "53/53", "DestCidrIp": "10.0.0.0/8"})
	got, ids := rules(t, sim, "all")
	want := []string{
		"ingress 172.20.0.0/16 TCP 80/80 Accept 1", "ingress fd00::/16 ALL -1/-1 Drop 7", "ingress sg-2 ICMP -1/-1 Accept 1",
		"egress 10.0.0.0/8 UDP 53/53 Accept 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	change("ModifySecurityGroupRule", simtest.Args{"SecurityGroupRuleId": ids[0], "PortRange": "80/81", "Priority": "2"})
	change("RevokeSecurityGroup", simtest.Args{"SecurityGroupRuleId.1": ids[1]})
	change("RevokeSecurityGroup", simtest.Args{"IpProtocol": "icmp", "PortRange": "-1/-1", "SourceGroupId": "sg-2"})
	change("RevokeSecurityGroup", simtest.Args{"IpProtocol": "tcp", "PortRange": "1/1", "SourceCidrIp": "10.9.9.9"}) // is not there: silent
	if got, again := rules(t, sim, "ingress"); len(got) != 1 || got[0] != "ingress 172.20.0.0/16 TCP 80/81 Accept 2" || again[0] != ids[0] {
		t.Errorf("left: %v", got)
	}
	change("RevokeSecurityGroupEgress", simtest.Args{"SecurityGroupRuleId.1": ids[3]})
	if got, _ := rules(t, sim, "egress"); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	change("ModifySecurityGroupPolicy", simtest.Args{"InnerAccessPolicy": "drop"})
	if a := simtest.AskECS(t, sim, "DescribeSecurityGroupAttribute", simtest.Args{"SecurityGroupId": "sg-1"}); a.At("InnerAccessPolicy") != "Drop" {
		t.Errorf("policy: %v", a.At("InnerAccessPolicy"))
	}
	a := simtest.AskECS(t, sim, "DescribeSecurityGroups", simtest.Args{"VpcId": "vpc-1"})
	if got := []any{a.At("TotalCount"), a.At("SecurityGroups", "SecurityGroup", 0, "EcsCount"), a.At("SecurityGroups", "SecurityGroup", 2, "SecurityGroupType")}; !cmp.Equal(got, []any{3.0, 3.0, "enterprise"}) {
		t.Errorf("groups: %v", got)
	}
}

func TestRulesAreRefused(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, bare)
	rule := simtest.Args{"SecurityGroupId": "sg-1", "IpProtocol": "tcp", "PortRange": "80/80", "SourceCidrIp": "172.20.0.0/16"}
	for name, tt := range map[string]struct {
		action string
		with   simtest.Args
		code   string
	}{
		"no group":                   {"AuthorizeSecurityGroup", simtest.Args{"SecurityGroupId": ""}, "MissingParameter"},
		"unknown group":              {"AuthorizeSecurityGroup", simtest.Args{"SecurityGroupId": "sg-9"}, "InvalidSecurityGroupId.NotFound"},
		"no source":                  {"AuthorizeSecurityGroup", simtest.Args{"SourceCidrIp": ""}, "MissingParameter"},
		"IPv6 as IPv4":               {"AuthorizeSecurityGroup", simtest.Args{"SourceCidrIp": "fd00::/16"}, "InvalidSourceCidrIp.Malformed"},
		"ports of no order":          {"AuthorizeSecurityGroup", simtest.Args{"PortRange": "81/80"}, "InvalidPortRange.Malformed"},
		"ports of ICMP":              {"AuthorizeSecurityGroup", simtest.Args{"IpProtocol": "icmp"}, "InvalidPortRange.Malformed"},
		"a protocol of its own":      {"AuthorizeSecurityGroup", simtest.Args{"IpProtocol": "sctp"}, "InvalidIpProtocol.Malformed"},
		"a policy of its own":        {"AuthorizeSecurityGroup", simtest.Args{"Policy": "reject"}, "InvalidPolicy.Malformed"},
		"priority 101":               {"AuthorizeSecurityGroup", simtest.Args{"Priority": "101"}, "InvalidPriority.Malformed"},
		"unknown source group":       {"AuthorizeSecurityGroup", simtest.Args{"SourceGroupId": "sg-9"}, "InvalidSourceGroupId.NotFound"},
		"a group in enterprise":      {"AuthorizeSecurityGroup", simtest.Args{"SecurityGroupId": "sg-e", "SourceGroupId": "sg-1"}, "InvalidOperation.SecurityGroupType"},
		"dry run":                    {"AuthorizeSecurityGroup", simtest.Args{"DryRun": "true"}, "DryRunOperation"},
		"revoke an unknown id":       {"RevokeSecurityGroup", simtest.Args{"SecurityGroupRuleId.1": "sgr-9"}, "InvalidParam.SecurityGroupRuleId"},
		"revoke an unknown egress":   {"RevokeSecurityGroupEgress", simtest.Args{"SecurityGroupRuleId.1": "sgr-9"}, "InvalidSecurityGroupRule.RuleNotExist"},
		"modify what is not there":   {"ModifySecurityGroupRule", nil, "InvalidSecurityGroupRule.RuleNotExist"},
		"inner access of enterprise": {"ModifySecurityGroupPolicy", simtest.Args{"SecurityGroupId": "sg-e", "InnerAccessPolicy": "Accept"}, "InvalidOperation.SecurityGroupType"},
	} {
		with := maps.Clone(rule)
		maps.Copy(with, tt.with)
		if a := simtest.AskECS(t, sim, tt.action, with); a.Code() != tt.code {
			t.Errorf("%s: %v, want %s", name, a.Body, tt.code)
		}
	}
	if got, _ := rules(t, sim, "all"); got != nil {
		t.Errorf("rules were added: %v", got)
	}
}

func TestGroupsAreLimited(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, bare, func(s *alisim.Seed) { s.Instances[0].SecurityGroups = []string{"sg-1", "sg-2"} })
	add := func(group string, from, n int) string {
		with := simtest.Args{"SecurityGroupId": group}
		for i := range n {
			p := fmt.Sprintf("Permissions.%d.", i+1)
			with[p+"IpProtocol"], with[p+"SourceCidrIp"] = "ALL", fmt.Sprintf("10.%d.%d.0/24", (from+i)/256, (from+i)%256)
		}
		return simtest.AskECS(t, sim, "AuthorizeSecurityGroup", with).Code()
	}
	if got := add("sg-1", 0, 101); got != "InvalidParam.Permissions" {
		t.Errorf("101 in a call: %q", got)
	}
	for n := range 9 {
		if got := add("sg-1", n*100, 100); got != "" {
			t.Fatal(got)
		}
	}
	if got := add("sg-2", 0, 100); got != "" {
		t.Errorf("the thousandth: %q", got)
	}
	if got := add("sg-2", 900, 1); got != "AuthorizationLimitExceed" {
		t.Errorf("one more over both groups of an interface: %q", got)
	}
	if got := add("sg-1", 0, 100); got != "" {
		t.Errorf("rules that are there: %q", got)
	}
}

func TestGroupsByHand(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, bare)
	g := alisim.SecurityGroup{ID: "sg-1", Ingress: []alisim.Rule{{Source: netip.MustParsePrefix("172.20.0.0/16")}}}
	if err := sim.SetSecurityGroup("vpc-1", g); err != nil {
		t.Fatal(err)
	}
	if got, _ := rules(t, sim, "all"); !cmp.Equal(got, []string{"ingress 172.20.0.0/16 ALL -1/-1 Accept 1"}) {
		t.Errorf("rules: %v", got)
	}
	if err := sim.SetGroups("i-1", []string{"sg-2"}); err != nil {
		t.Fatal(err)
	}
	if _, f, _ := sim.Snapshot().Hop("i-1"); !cmp.Equal(f.SecurityGroups, []string{"sg-2"}) {
		t.Errorf("groups: %v", f.SecurityGroups)
	}
	if sim.SetGroups("i-1", []string{"sg-2", "sg-e"}) == nil || sim.SetGroups("i-9", nil) == nil || sim.SetSecurityGroup("vpc-9", g) == nil {
		t.Error("what cannot be was done")
	}
}
