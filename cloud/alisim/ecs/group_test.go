package ecs_test

import (
	"maps"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestSecurityGroupTakesRules(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	rules := func() int {
		a := simtest.AskECS(t, sim, "DescribeSecurityGroupAttribute", simtest.Args{"SecurityGroupId": "sg-1", "Direction": "ingress"})
		return simtest.Count(a, "Permissions", "Permission")
	}
	before := rules()
	rule := simtest.Args{
		"SecurityGroupId": "sg-1", "Permissions.1.IpProtocol": "all", "Permissions.1.PortRange": "-1/-1",
		"Permissions.1.SourceCidrIp": "172.20.0.0/16", "Permissions.1.Policy": "accept",
	}
	for range 2 { // the same rule again is a silent success
		if a := simtest.AskECS(t, sim, "AuthorizeSecurityGroup", rule); a.Code() != "" {
			t.Fatal(a.Body)
		}
	}
	if got := rules(); got != before+1 {
		t.Errorf("%d rules, want %d", got, before+1)
	}
	for name, value := range map[string]string{"SourceCidrIp": "x", "IpProtocol": "", "Priority": "101"} {
		wrong := maps.Clone(rule)
		wrong["Permissions.1."+name] = value
		if a := simtest.AskECS(t, sim, "AuthorizeSecurityGroup", wrong); a.Code() == "" {
			t.Errorf("%s %q was taken", name, value)
		}
	}
	if a := simtest.AskECS(t, sim, "AuthorizeSecurityGroup", simtest.Args{"SecurityGroupId": "sg-9"}); a.Status != 404 {
		t.Errorf("unknown group: %v", a.Body)
	}
}
