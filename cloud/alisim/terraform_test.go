package alisim_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

// TestTerraformReadsTables holds what the provider's data sources look at in an answer,
// among it things that no other client heeds.
func TestTerraformReadsTables(t *testing.T) {
	sim := simtest.NewKeyed(t, alisim.Options{})
	a := simtest.AskByPost(t, sim, "2016-04-28", "DescribeRouteTableList", simtest.Args{"RegionId": "cn-hangzhou", "VpcId": "vpc-1", "PageSize": "50", "PageNumber": "1"})
	if fmt.Sprint(a.At("Code")) != "200" || a.At("Success") != true {
		t.Errorf("alicloud_vpcs takes this for a failure: Code %v, Success %v", a.At("Code"), a.At("Success"))
	}
	if kind := a.At("RouterTableList", "RouterTableListType", 0, "RouteTableType"); kind != "System" {
		t.Errorf("no system table: %v", kind)
	}
	a = simtest.AskByPost(t, sim, "2016-04-28", "DescribeVpcs", simtest.Args{"RegionId": "cn-hangzhou", "PageSize": "50", "PageNumber": "1"})
	for _, path := range [][]any{{"VSwitchIds", "VSwitchId"}, {"Tags", "Tag"}, {"UserCidrs", "UserCidr"}, {"SecondaryCidrBlocks", "SecondaryCidrBlock"}} {
		if _, ok := a.At(append([]any{"Vpcs", "Vpc", 0}, path...)...).([]any); !ok {
			t.Errorf("DescribeVpcs: %v is no list", path)
		}
	}
}

// TestTerraformReadsInstances are the calls of alicloud_instances, which lists only those
// instances that DescribeInstanceRamRole names, and of alicloud_regions.
func TestTerraformReadsInstances(t *testing.T) {
	sim := simtest.NewKeyed(t, alisim.Options{}, func(s *alisim.Seed) { s.Instances[1].Role = "router" })
	const ecs = "2014-05-26"
	a := simtest.AskByPost(t, sim, ecs, "DescribeInstanceRamRole", simtest.Args{"InstanceIds": `["i-1","i-2"]`, "PageNumber": "1", "PageSize": "50"})
	want := []any{
		map[string]any{"InstanceId": "i-1", "RamRoleName": ""},
		map[string]any{"InstanceId": "i-2", "RamRoleName": "router"},
	}
	if diff := cmp.Diff(want, a.At("InstanceRamRoleSets", "InstanceRamRoleSet")); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	a = simtest.AskByPost(t, sim, ecs, "DescribeInstanceRamRole", simtest.Args{"InstanceIds": `["i-1","i-2"]`, "RamRoleName": "router"})
	if id := a.At("InstanceRamRoleSets", "InstanceRamRoleSet", 0, "InstanceId"); id != "i-2" {
		t.Errorf("with the role is %v, want i-2", id)
	}
	a = simtest.AskByPost(t, sim, ecs, "DescribeDisks", simtest.Args{"PageNumber": "1", "PageSize": "100"})
	if n, id := a.At("TotalCount"), a.At("Disks", "Disk", 2, "InstanceId"); n != 3.0 || id != "i-3" {
		t.Errorf("%v disks, the third of %v; want 3 of i-3", n, id)
	}
	a = simtest.AskByPost(t, sim, ecs, "DescribeRegions", simtest.Args{"RegionId": "cn-hangzhou"})
	if id := a.At("Regions", "Region", 0, "RegionId"); id != "cn-hangzhou" {
		t.Errorf("region is %v", id)
	}
}

// TestTerraformMakesARouteEntry walks through alicloud_route_entry: it reads the table until
// every entry is Available, creates with a token of 64 characters, and finds its own entry
// by destination, type and next hop.
func TestTerraformMakesARouteEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{TaskTime: 3 * time.Second})
		wire := func(action string, with simtest.Args) simtest.Answer {
			all := simtest.Args{"Action": action, "Version": "2016-04-28", "Format": "JSON", "RegionId": "cn-hangzhou", "SignatureType": ""}
			maps.Copy(all, with)
			return simtest.Do(t, sim, httptest.NewRequest(http.MethodPost, "/?"+simtest.Encode(all), nil))
		}
		if open := unsettled(wire("DescribeRouteTables", simtest.Args{"RouteTableId": "vtb-1"})); open != nil {
			t.Errorf("before: %v", open)
		}
		create := simtest.Args{
			"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24", "NextHopType": "Instance", "NextHopId": "i-1",
			"RouteEntryName": "one", "Description": "a*b~c; x=1+2", "ClientToken": "TF-CreateRouteEntry-1795245462-" + strings.Repeat("x", 33),
		}
		if a := wire("CreateRouteEntry", create); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		other := maps.Clone(create)
		other["DestinationCidrBlock"], other["ClientToken"] = "172.20.6.0/24", "TF-CreateRouteEntry-2"
		if a := wire("CreateRouteEntry", other); a.Code() != "TaskConflict" {
			t.Errorf("a second create meanwhile: %v", a)
		}
		if open := unsettled(wire("DescribeRouteTables", simtest.Args{"RouteTableId": "vtb-1"})); len(open) != 1 {
			t.Errorf("while it is made, not Available are %v", open)
		}
		time.Sleep(5 * time.Second)
		a := wire("DescribeRouteTables", simtest.Args{"RouteTableId": "vtb-1"})
		if open := unsettled(a); open != nil {
			t.Errorf("after: %v", open)
		}
		var mine map[string]any
		for _, e := range a.At("RouteTables", "RouteTable", 0, "RouteEntrys", "RouteEntry").([]any) {
			if e := e.(map[string]any); e["DestinationCidrBlock"] == "172.20.5.0/24" && e["NextHopType"] == "Instance" && e["InstanceId"] == "i-1" {
				mine = e
			}
		}
		if mine["RouteEntryName"] != "one" || mine["Description"] != create["Description"] || mine["RouteTableId"] != "vtb-1" {
			t.Errorf("reads back %v", mine)
		}
		gone := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24", "NextHopId": "i-1"}
		if a := wire("DeleteRouteEntry", gone); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		time.Sleep(5 * time.Second)
		if a := wire("DeleteRouteEntry", gone); a.Code() != "InvalidRouteEntry.NotFound" {
			t.Errorf("deleting again: %v", a)
		}
	})
}

// TestTerraformChangesARouteEntry walks through alicloud_vpc_route_entry, which reads at once
// after each change, and takes a description away by sending an empty one.
func TestTerraformChangesARouteEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.NewKeyed(t, alisim.Options{TaskTime: 2 * time.Second})
		id := simtest.Args{"RegionId": "cn-hangzhou", "RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24"}
		change := func(action string, more simtest.Args) simtest.Answer {
			all := maps.Clone(id)
			maps.Copy(all, more)
			return simtest.AskByPost(t, sim, "2016-04-28", action, all)
		}
		steps := []struct {
			action string
			with   simtest.Args
			status string // right afterwards
			want   string // hop and description when the task is done
		}{
			{"CreateRouteEntry", simtest.Args{"NextHopId": "i-1", "NextHopType": "Instance", "Description": "a b", "ClientToken": "TF-1"}, "Pending", "i-1 a b"},
			{"ModifyRouteEntry", simtest.Args{"NewNextHopId": "i-2"}, "Modifying", "i-2 a b"},
			{"ModifyRouteEntry", simtest.Args{"Description": "c"}, "Modifying", "i-2 c"},
			{"ModifyRouteEntry", simtest.Args{"Description": ""}, "Modifying", "i-2 "},
			{"DeleteRouteEntry", simtest.Args{"NextHopId": "i-2"}, "Deleting", "<nil> <nil>"},
		}
		for _, s := range steps {
			if a := change(s.action, s.with); a.Status != http.StatusOK {
				t.Fatal(s.action, s.with, a)
			}
			read := []any{"RouteEntrys", "RouteEntry", 0}
			if status := change("DescribeRouteEntryList", nil).At(append(read, "Status")...); status != s.status {
				t.Errorf("%s %v: status is %v, want %s", s.action, s.with, status, s.status)
			}
			if a := change("ListVpcPublishedRouteEntries", simtest.Args{"TargetType": "ECR"}); simtest.Count(a, "RouteEntries") != 1 {
				t.Errorf("%s %v: published are %v", s.action, s.with, a)
			}
			time.Sleep(3 * time.Second)
			a := change("DescribeRouteEntryList", nil)
			got := fmt.Sprint(a.At(append(read, "NextHops", "NextHop", 0, "NextHopId")...), " ", a.At(append(read, "Description")...))
			if got != s.want {
				t.Errorf("%s %v: reads back %q, want %q", s.action, s.with, got, s.want)
			}
		}
	})
}

// TestTerraformKeepsASecurityGroupRule walks through alicloud_security_group_rule, which never
// learns a rule's id: it finds, describes anew and revokes the rule by what it says.
func TestTerraformKeepsASecurityGroupRule(t *testing.T) {
	sim := simtest.NewKeyed(t, alisim.Options{})
	rule := simtest.Args{
		"RegionId": "cn-hangzhou", "SecurityGroupId": "sg-1", "IpProtocol": "all", "PortRange": "-1/-1", "NicType": "intranet",
		"Policy": "accept", "Priority": "1", "SourceCidrIp": "172.20.0.0/16",
	}
	for _, step := range []struct{ action, description, want string }{
		{"AuthorizeSecurityGroup", "containers", "containers"},
		{"ModifySecurityGroupRule", "changed", "changed"},
		{"ModifySecurityGroupRule", "", ""},
		{"RevokeSecurityGroup", "", "no such rule"},
	} {
		rule["Description"] = step.description
		if a := simtest.AskByPost(t, sim, "2014-05-26", step.action, rule); a.Status != http.StatusOK {
			t.Fatal(step.action, a)
		}
		got := "no such rule"
		a := simtest.AskByPost(t, sim, "2014-05-26", "DescribeSecurityGroupAttribute", simtest.Args{"SecurityGroupId": "sg-1", "Direction": "ingress"})
		for _, p := range a.At("Permissions", "Permission").([]any) {
			if p := p.(map[string]any); p["SourceCidrIp"] == "172.20.0.0/16" {
				got = fmt.Sprint(p["Description"])
			}
		}
		if got != step.want {
			t.Errorf("%s: reads back %q, want %q", step.action, got, step.want)
		}
	}
	if a := simtest.AskByPost(t, sim, "2014-05-26", "ModifySecurityGroupRule", rule); a.Code() != "InvalidSecurityGroupRule.RuleNotExist" {
		t.Errorf("describing what is gone: %v", a)
	}
}

// unsettled are the destinations of a table's entries that are not Available.
func unsettled(a simtest.Answer) []string {
	var out []string
	for _, e := range a.At("RouteTables", "RouteTable", 0, "RouteEntrys", "RouteEntry").([]any) {
		if e := e.(map[string]any); e["Status"] != "Available" {
			out = append(out, fmt.Sprint(e["DestinationCidrBlock"]))
		}
	}
	return out
}
