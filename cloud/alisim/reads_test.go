package alisim_test

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
)

// full is a simulator with this many custom entries in vtb-1 and instances in all.
func full(t *testing.T, opts alisim.Options, entries, instances int) *alisim.Sim {
	t.Helper()
	return newSim(t, opts, func(s *alisim.Seed) {
		for n := range entries {
			s.VPCs[0].Tables[0].Routes = append(s.VPCs[0].Tables[0].Routes, alisim.Route{
				Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 20, byte(n), 0}), 24), NextHop: "i-1",
			})
		}
		for n := len(s.Instances); n < instances; n++ {
			s.Instances = append(s.Instances, alisim.Instance{
				ID: fmt.Sprintf("i-many-%03d", n), VSwitch: "vsw-1", IP: netip.AddrFrom4([4]byte{192, 168, 1, byte(n)}),
			})
		}
	})
}

func count(a answered, path ...any) int {
	list, _ := a.at(path...).([]any)
	return len(list)
}

func TestRouteEntriesArePagedByToken(t *testing.T) {
	sim := full(t, alisim.Options{}, 123, 0)
	for _, tt := range []struct {
		size  string
		pages []int
	}{
		{"", []int{10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 3}},
		{"100", []int{100, 23}},
		{"41", []int{41, 41, 41}},
	} {
		with := args{"RouteTableId": "vtb-1", "RouteEntryType": "Custom", "MaxResult": tt.size}
		var pages []int
		seen := map[any]bool{}
		for {
			a := good(t, sim, "DescribeRouteEntryList", with)
			pages = append(pages, count(a, "RouteEntrys", "RouteEntry"))
			for n := range pages[len(pages)-1] {
				seen[a.at("RouteEntrys", "RouteEntry", n, "RouteEntryId")] = true
			}
			if with["NextToken"] = a.at("NextToken").(string); with["NextToken"] == "" {
				break
			}
		}
		if diff := cmp.Diff(tt.pages, pages); diff != "" || len(seen) != 123 {
			t.Errorf("MaxResult %q: %d entries\n%s", tt.size, len(seen), diff)
		}
	}
	strict := full(t, alisim.Options{Readings: alisim.Readings{LongPage: alisim.Refuse}}, 123, 0)
	bad(t, strict, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1", "MaxResult": "101"}, "IllegalParam.MaxResult")
	for _, size := range []string{"0", "501", "-1", "x"} {
		bad(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1", "MaxResult": size}, "IllegalParam.MaxResult")
	}
	lenient := full(t, alisim.Options{Readings: alisim.Readings{LongPage: alisim.Allow}}, 123, 0)
	a := good(t, lenient, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1", "RouteEntryType": "Custom", "MaxResult": "500"})
	if got := count(a, "RouteEntrys", "RouteEntry"); got != 123 {
		t.Errorf("lenient page of 500 has %d entries", got)
	}
}

func TestRouteEntriesAreFiltered(t *testing.T) {
	sim := full(t, alisim.Options{}, 30, 0)
	for _, tt := range []struct {
		with args
		want int
	}{
		{args{"DestinationCidrBlock": "172.20.7.0/24"}, 1},
		{args{"DestCidrBlockList.1": "172.20.7.0/24", "DestCidrBlockList.2": "172.20.8.0/24", "DestCidrBlockList.3": "10.0.0.0/8"}, 2},
		{args{"NextHopId": "i-1"}, 30},
		{args{"NextHopId": "i-2"}, 0},
		{args{"NextHopType": "instance"}, 30},
		{args{"IpVersion": "ipv4"}, 33},
		{args{"IpVersion": "ipv6"}, 0},
		{args{"RouteEntryType": "CEN"}, 0},
	} {
		tt.with["RouteTableId"], tt.with["MaxResult"] = "vtb-1", "100"
		if got := count(good(t, sim, "DescribeRouteEntryList", tt.with), "RouteEntrys", "RouteEntry"); got != tt.want {
			t.Errorf("%v: %d entries, want %d", tt.with, got, tt.want)
		}
	}
	bad(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1", "RouteEntryType": "Mine"}, "IllegalParam.RouteEntryType")
	bad(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1", "RouteEntryName": "x"}, "OperationFailed.FilterParamUnderWrongRouteType")
	many := args{"RouteTableId": "vtb-1"}
	for n := range 21 {
		many[fmt.Sprintf("DestCidrBlockList.%d", n+1)] = "10.0.0.0/8"
	}
	bad(t, sim, "DescribeRouteEntryList", many, "IllegalParam.DestCidrBlockList")
}

func TestNumberedPages(t *testing.T) {
	sim := full(t, alisim.Options{}, 0, 25)
	for _, tt := range []struct {
		number, size string
		want         int
	}{{"", "", 10}, {"3", "", 5}, {"4", "", 0}, {"1", "50", 25}} {
		a := askECS(t, sim, "DescribeInstanceStatus", args{"PageNumber": tt.number, "PageSize": tt.size})
		if got := count(a, "InstanceStatuses", "InstanceStatus"); got != tt.want || a.at("TotalCount") != 25.0 {
			t.Errorf("page %q of %q: %d of %v, want %d of 25", tt.number, tt.size, got, a.at("TotalCount"), tt.want)
		}
	}
	for _, with := range []args{{"PageSize": "51"}, {"PageSize": "0"}, {"PageNumber": "0"}, {"PageNumber": "x"}} {
		if a := ask(t, sim, "DescribeVpcs", with); a.status != 400 {
			t.Errorf("%v: %d", with, a.status)
		}
	}
}

func TestInstancesAreFoundAndPaged(t *testing.T) {
	sim := full(t, alisim.Options{}, 0, 25)
	for _, tt := range []struct {
		with args
		want int
	}{
		{args{"InstanceIds": `["i-1","i-2","i-none"]`}, 2},
		{args{"InstanceIds": `[]`}, 0},
		{args{"PrivateIpAddresses": `["192.168.16.13"]`}, 1},
		{args{"VSwitchId": "vsw-2"}, 1},
		{args{"SecurityGroupId": "sg-1"}, 3},
		{args{"Status": "Stopped"}, 0},
		{args{"VpcId": "vpc-9"}, 0},
		{args{"MaxResults": "1"}, 10}, // pulled up
		{args{"MaxResults": "1000"}, 25},
		{args{}, 10},
	} {
		if got := count(askECS(t, sim, "DescribeInstances", tt.with), "Instances", "Instance"); got != tt.want {
			t.Errorf("%v: %d instances, want %d", tt.with, got, tt.want)
		}
	}
	token := askECS(t, sim, "DescribeInstances", args{"MaxResults": "20"}).at("NextToken").(string)
	if got := count(askECS(t, sim, "DescribeInstances", args{"MaxResults": "20", "NextToken": token}), "Instances", "Instance"); got != 5 {
		t.Errorf("second page has %d instances", got)
	}
	if a := askECS(t, sim, "DescribeInstances", args{"InstanceIds": "i-1"}); a.code() != "InvalidParameter" {
		t.Errorf("ids that are no JSON: %v", a.body)
	}
}

func TestSecurityGroupTakesRules(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	rules := func() int {
		a := askECS(t, sim, "DescribeSecurityGroupAttribute", args{"SecurityGroupId": "sg-1", "Direction": "ingress"})
		return count(a, "Permissions", "Permission")
	}
	before := rules()
	rule := args{
		"SecurityGroupId": "sg-1", "Permissions.1.IpProtocol": "all", "Permissions.1.PortRange": "-1/-1",
		"Permissions.1.SourceCidrIp": "172.20.0.0/16", "Permissions.1.Policy": "accept",
	}
	for range 2 { // the same rule again is a silent success
		if a := askECS(t, sim, "AuthorizeSecurityGroup", rule); a.code() != "" {
			t.Fatal(a.body)
		}
	}
	if got := rules(); got != before+1 {
		t.Errorf("%d rules, want %d", got, before+1)
	}
	for name, value := range map[string]string{"SourceCidrIp": "x", "IpProtocol": "", "Priority": "101"} {
		wrong := maps.Clone(rule)
		wrong["Permissions.1."+name] = value
		if a := askECS(t, sim, "AuthorizeSecurityGroup", wrong); a.code() == "" {
			t.Errorf("%s %q was taken", name, value)
		}
	}
	if a := askECS(t, sim, "AuthorizeSecurityGroup", args{"SecurityGroupId": "sg-9"}); a.status != 404 {
		t.Errorf("unknown group: %v", a.body)
	}
}

func TestNetworkIsDescribed(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	a := good(t, sim, "DescribeRouteTableList", args{"VpcId": "vpc-1", "PageSize": "50"})
	tables := []any{}
	for n := range 2 {
		row := func(name string) any { return a.at("RouterTableList", "RouterTableListType", n, name) }
		tables = append(tables, row("RouteTableId"), row("RouteTableType"), row("AssociateType"), a.at("RouterTableList", "RouterTableListType", n, "VSwitchIds", "VSwitchId", 0))
	}
	if diff := cmp.Diff([]any{"vtb-1", "System", "VSwitch", "vsw-1", "vtb-2", "Custom", "VSwitch", "vsw-2"}, tables); diff != "" {
		t.Error(diff)
	}
	a = good(t, sim, "DescribeVpcAttribute", args{"VpcId": "vpc-1"})
	if a.at("CidrBlock") != "192.168.0.0/16" || a.at("VRouterId") != "vrt-1" {
		t.Errorf("attribute: %v", a.body)
	}
	bad(t, sim, "DescribeVpcAttribute", args{"VpcId": "vpc-9"}, "InvalidVpcId.NotFound")
	bad(t, sim, "DescribeVSwitches", args{"RegionId": ""}, "MissingParameter")
	bad(t, sim, "DescribeRouteEntryList", args{"RegionId": "", "RouteTableId": "vtb-1"}, "MissingParameter")
	bad(t, sim, "DescribeRouteTables", nil, "MissingParameter")
	if got := good(t, sim, "DescribeVpcs", args{"VpcId": "vpc-1,vpc-9"}).at("TotalCount"); got != 1.0 {
		t.Errorf("%v VPCs", got)
	}
	// Clients of the old time ask for the same under the ECS version.
	if got := askECS(t, sim, "DescribeRouteTables", args{"VRouterId": "vrt-1"}).at("TotalCount"); got != 2.0 {
		t.Errorf("%v tables of the router", got)
	}
	identity := ask(t, sim, "GetCallerIdentity", args{"Version": "2015-04-01"})
	if identity.at("AccountId") != "1000000000000001" {
		t.Errorf("identity: %v", identity.body)
	}
}
