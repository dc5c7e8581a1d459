package alisim_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
)

// post sends a request as Terraform's provider does for all but route entries: what the
// gateway needs is in the query, in its own letter case, and the parameters are in a form.
// Both are signed together.
func post(t testing.TB, sim *alisim.Sim, version, action string, with args) answered {
	t.Helper()
	query := args{
		"AccessKeyId": "testid", "Action": action, "Format": "json", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": rand.Text(), "Timestamp": time.Now().UTC().Format(time.RFC3339), "Version": version,
	}
	all := maps.Clone(query)
	maps.Copy(all, with)
	text := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(encode(all))
	mac := hmac.New(sha1.New, []byte("testsecret&"))
	mac.Write([]byte("POST&%2F&" + url.QueryEscape(text)))
	query["Signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	r := httptest.NewRequest(http.MethodPost, "/?"+encode(query), strings.NewReader(encode(with)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("x-acs-action", action)
	r.Header.Set("x-acs-version", version)
	return do(t, sim, r)
}

// keyed starts a simulator that verifies signatures.
func keyed(t testing.TB, opts alisim.Options, change ...func(*alisim.Seed)) *alisim.Sim {
	t.Helper()
	key := func(s *alisim.Seed) { s.Keys = alisim.Example().Keys }
	return newSim(t, opts, append(change, key)...)
}

func encode(params args) string {
	values := url.Values{}
	for k, v := range params {
		values.Set(k, v)
	}
	return values.Encode()
}

// TestTerraformReadsTables holds what the provider's data sources look at in an answer,
// among it things that no other client heeds.
func TestTerraformReadsTables(t *testing.T) {
	sim := keyed(t, alisim.Options{})
	a := post(t, sim, "2016-04-28", "DescribeRouteTableList", args{"RegionId": "cn-hangzhou", "VpcId": "vpc-1", "PageSize": "50", "PageNumber": "1"})
	if fmt.Sprint(a.at("Code")) != "200" || a.at("Success") != true {
		t.Errorf("alicloud_vpcs takes this for a failure: Code %v, Success %v", a.at("Code"), a.at("Success"))
	}
	if kind := a.at("RouterTableList", "RouterTableListType", 0, "RouteTableType"); kind != "System" {
		t.Errorf("no system table: %v", kind)
	}
	a = post(t, sim, "2016-04-28", "DescribeVpcs", args{"RegionId": "cn-hangzhou", "PageSize": "50", "PageNumber": "1"})
	for _, path := range [][]any{{"VSwitchIds", "VSwitchId"}, {"Tags", "Tag"}, {"UserCidrs", "UserCidr"}, {"SecondaryCidrBlocks", "SecondaryCidrBlock"}} {
		if _, ok := a.at(append([]any{"Vpcs", "Vpc", 0}, path...)...).([]any); !ok {
			t.Errorf("DescribeVpcs: %v is no list", path)
		}
	}
}

// TestTerraformReadsInstances are the calls of alicloud_instances, which lists only those
// instances that DescribeInstanceRamRole names, and of alicloud_regions.
func TestTerraformReadsInstances(t *testing.T) {
	sim := keyed(t, alisim.Options{}, func(s *alisim.Seed) { s.Instances[1].Role = "router" })
	const ecs = "2014-05-26"
	a := post(t, sim, ecs, "DescribeInstanceRamRole", args{"InstanceIds": `["i-1","i-2"]`, "PageNumber": "1", "PageSize": "50"})
	want := []any{
		map[string]any{"InstanceId": "i-1", "RamRoleName": ""},
		map[string]any{"InstanceId": "i-2", "RamRoleName": "router"},
	}
	if diff := cmp.Diff(want, a.at("InstanceRamRoleSets", "InstanceRamRoleSet")); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	a = post(t, sim, ecs, "DescribeInstanceRamRole", args{"InstanceIds": `["i-1","i-2"]`, "RamRoleName": "router"})
	if id := a.at("InstanceRamRoleSets", "InstanceRamRoleSet", 0, "InstanceId"); id != "i-2" {
		t.Errorf("with the role is %v, want i-2", id)
	}
	a = post(t, sim, ecs, "DescribeDisks", args{"PageNumber": "1", "PageSize": "100"})
	if n, id := a.at("TotalCount"), a.at("Disks", "Disk", 2, "InstanceId"); n != 3.0 || id != "i-3" {
		t.Errorf("%v disks, the third of %v; want 3 of i-3", n, id)
	}
	a = post(t, sim, ecs, "DescribeRegions", args{"RegionId": "cn-hangzhou"})
	if id := a.at("Regions", "Region", 0, "RegionId"); id != "cn-hangzhou" {
		t.Errorf("region is %v", id)
	}
}

// TestTerraformMakesARouteEntry walks through alicloud_route_entry: it reads the table until
// every entry is Available, creates with a token of 64 characters, and finds its own entry
// by destination, type and next hop.
func TestTerraformMakesARouteEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(t, alisim.Options{TaskTime: 3 * time.Second})
		wire := func(action string, with args) answered {
			all := args{"Action": action, "Version": "2016-04-28", "Format": "JSON", "RegionId": "cn-hangzhou", "SignatureType": ""}
			maps.Copy(all, with)
			return do(t, sim, httptest.NewRequest(http.MethodPost, "/?"+encode(all), nil))
		}
		if open := unsettled(wire("DescribeRouteTables", args{"RouteTableId": "vtb-1"})); open != nil {
			t.Errorf("before: %v", open)
		}
		create := args{
			"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24", "NextHopType": "Instance", "NextHopId": "i-1",
			"RouteEntryName": "one", "Description": "a*b~c; x=1+2", "ClientToken": "TF-CreateRouteEntry-1795245462-" + strings.Repeat("x", 33),
		}
		if a := wire("CreateRouteEntry", create); a.status != http.StatusOK {
			t.Fatal(a)
		}
		other := maps.Clone(create)
		other["DestinationCidrBlock"], other["ClientToken"] = "172.20.6.0/24", "TF-CreateRouteEntry-2"
		if a := wire("CreateRouteEntry", other); a.code() != "TaskConflict" {
			t.Errorf("a second create meanwhile: %v", a)
		}
		if open := unsettled(wire("DescribeRouteTables", args{"RouteTableId": "vtb-1"})); len(open) != 1 {
			t.Errorf("while it is made, not Available are %v", open)
		}
		time.Sleep(5 * time.Second)
		a := wire("DescribeRouteTables", args{"RouteTableId": "vtb-1"})
		if open := unsettled(a); open != nil {
			t.Errorf("after: %v", open)
		}
		var mine map[string]any
		for _, e := range a.at("RouteTables", "RouteTable", 0, "RouteEntrys", "RouteEntry").([]any) {
			if e := e.(map[string]any); e["DestinationCidrBlock"] == "172.20.5.0/24" && e["NextHopType"] == "Instance" && e["InstanceId"] == "i-1" {
				mine = e
			}
		}
		if mine["RouteEntryName"] != "one" || mine["Description"] != create["Description"] || mine["RouteTableId"] != "vtb-1" {
			t.Errorf("reads back %v", mine)
		}
		gone := args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24", "NextHopId": "i-1"}
		if a := wire("DeleteRouteEntry", gone); a.status != http.StatusOK {
			t.Fatal(a)
		}
		time.Sleep(5 * time.Second)
		if a := wire("DeleteRouteEntry", gone); a.code() != "InvalidRouteEntry.NotFound" {
			t.Errorf("deleting again: %v", a)
		}
	})
}

// TestTerraformChangesARouteEntry walks through alicloud_vpc_route_entry, which reads at once
// after each change, and takes a description away by sending an empty one.
func TestTerraformChangesARouteEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := keyed(t, alisim.Options{TaskTime: 2 * time.Second})
		id := args{"RegionId": "cn-hangzhou", "RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24"}
		change := func(action string, more args) answered {
			all := maps.Clone(id)
			maps.Copy(all, more)
			return post(t, sim, "2016-04-28", action, all)
		}
		steps := []struct {
			action string
			with   args
			status string // right afterwards
			want   string // hop and description when the task is done
		}{
			{"CreateRouteEntry", args{"NextHopId": "i-1", "NextHopType": "Instance", "Description": "a b", "ClientToken": "TF-1"}, "Pending", "i-1 a b"},
			{"ModifyRouteEntry", args{"NewNextHopId": "i-2"}, "Modifying", "i-2 a b"},
			{"ModifyRouteEntry", args{"Description": "c"}, "Modifying", "i-2 c"},
			{"ModifyRouteEntry", args{"Description": ""}, "Modifying", "i-2 "},
			{"DeleteRouteEntry", args{"NextHopId": "i-2"}, "Deleting", "<nil> <nil>"},
		}
		for _, s := range steps {
			if a := change(s.action, s.with); a.status != http.StatusOK {
				t.Fatal(s.action, s.with, a)
			}
			read := []any{"RouteEntrys", "RouteEntry", 0}
			if status := change("DescribeRouteEntryList", nil).at(append(read, "Status")...); status != s.status {
				t.Errorf("%s %v: status is %v, want %s", s.action, s.with, status, s.status)
			}
			if a := change("ListVpcPublishedRouteEntries", args{"TargetType": "ECR"}); count(a, "RouteEntries") != 1 {
				t.Errorf("%s %v: published are %v", s.action, s.with, a)
			}
			time.Sleep(3 * time.Second)
			a := change("DescribeRouteEntryList", nil)
			got := fmt.Sprint(a.at(append(read, "NextHops", "NextHop", 0, "NextHopId")...), " ", a.at(append(read, "Description")...))
			if got != s.want {
				t.Errorf("%s %v: reads back %q, want %q", s.action, s.with, got, s.want)
			}
		}
	})
}

// TestTerraformKeepsASecurityGroupRule walks through alicloud_security_group_rule, which never
// learns a rule's id: it finds, describes anew and revokes the rule by what it says.
func TestTerraformKeepsASecurityGroupRule(t *testing.T) {
	sim := keyed(t, alisim.Options{})
	rule := args{
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
		if a := post(t, sim, "2014-05-26", step.action, rule); a.status != http.StatusOK {
			t.Fatal(step.action, a)
		}
		got := "no such rule"
		a := post(t, sim, "2014-05-26", "DescribeSecurityGroupAttribute", args{"SecurityGroupId": "sg-1", "Direction": "ingress"})
		for _, p := range a.at("Permissions", "Permission").([]any) {
			if p := p.(map[string]any); p["SourceCidrIp"] == "172.20.0.0/16" {
				got = fmt.Sprint(p["Description"])
			}
		}
		if got != step.want {
			t.Errorf("%s: reads back %q, want %q", step.action, got, step.want)
		}
	}
	if a := post(t, sim, "2014-05-26", "ModifySecurityGroupRule", rule); a.code() != "InvalidSecurityGroupRule.RuleNotExist" {
		t.Errorf("describing what is gone: %v", a)
	}
}

// unsettled are the destinations of a table's entries that are not Available.
func unsettled(a answered) []string {
	var out []string
	for _, e := range a.at("RouteTables", "RouteTable", 0, "RouteEntrys", "RouteEntry").([]any) {
		if e := e.(map[string]any); e["Status"] != "Available" {
			out = append(out, fmt.Sprint(e["DestinationCidrBlock"]))
		}
	}
	return out
}
