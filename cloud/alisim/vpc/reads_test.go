package vpc_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestRouteEntriesArePagedByToken(t *testing.T) {
	sim := simtest.NewFull(t, alisim.Options{}, 123, 0)
	for _, tt := range []struct {
		size  string
		pages []int
	}{
		{"", []int{10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 3}},
		{"100", []int{100, 23}},
		{"41", []int{41, 41, 41}},
	} {
		with := simtest.Args{"RouteTableId": "vtb-1", "RouteEntryType": "Custom", "MaxResult": tt.size}
		var pages []int
		seen := map[any]bool{}
		for {
			a := simtest.Good(t, sim, "DescribeRouteEntryList", with)
			pages = append(pages, simtest.Count(a, "RouteEntrys", "RouteEntry"))
			for n := range pages[len(pages)-1] {
				seen[a.At("RouteEntrys", "RouteEntry", n, "RouteEntryId")] = true
			}
			if with["NextToken"] = a.At("NextToken").(string); with["NextToken"] == "" {
				break
			}
		}
		if diff := cmp.Diff(tt.pages, pages); diff != "" || len(seen) != 123 {
			t.Errorf("MaxResult %q: %d entries\n%s", tt.size, len(seen), diff)
		}
	}
	strict := simtest.NewFull(t, alisim.Options{Readings: alisim.Readings{LongPage: alisim.Refuse}}, 123, 0)
	simtest.Bad(t, strict, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "MaxResult": "101"}, "IllegalParam.MaxResult")
	for _, size := range []string{"0", "501", "-1", "x"} {
		simtest.Bad(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "MaxResult": size}, "IllegalParam.MaxResult")
	}
	lenient := simtest.NewFull(t, alisim.Options{Readings: alisim.Readings{LongPage: alisim.Allow}}, 123, 0)
	a := simtest.Good(t, lenient, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "RouteEntryType": "Custom", "MaxResult": "500"})
	if got := simtest.Count(a, "RouteEntrys", "RouteEntry"); got != 123 {
		t.Errorf("lenient page of 500 has %d entries", got)
	}
}

func TestRouteEntriesAreFiltered(t *testing.T) {
	sim := simtest.NewFull(t, alisim.Options{}, 30, 0)
	for _, tt := range []struct {
		with simtest.Args
		want int
	}{
		{simtest.Args{"DestinationCidrBlock": "172.20.7.0/24"}, 1},
		{simtest.Args{"DestCidrBlockList.1": "172.20.7.0/24", "DestCidrBlockList.2": "172.20.8.0/24", "DestCidrBlockList.3": "10.0.0.0/8"}, 2},
		{simtest.Args{"NextHopId": "i-1"}, 30},
		{simtest.Args{"NextHopId": "i-2"}, 0},
		{simtest.Args{"NextHopType": "instance"}, 30},
		{simtest.Args{"IpVersion": "ipv4"}, 33},
		{simtest.Args{"IpVersion": "ipv6"}, 0},
		{simtest.Args{"RouteEntryType": "CEN"}, 0},
	} {
		tt.with["RouteTableId"], tt.with["MaxResult"] = "vtb-1", "100"
		if got := simtest.Count(simtest.Good(t, sim, "DescribeRouteEntryList", tt.with), "RouteEntrys", "RouteEntry"); got != tt.want {
			t.Errorf("%v: %d entries, want %d", tt.with, got, tt.want)
		}
	}
	simtest.Bad(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "RouteEntryType": "Mine"}, "IllegalParam.RouteEntryType")
	simtest.Bad(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "RouteEntryName": "x"}, "OperationFailed.FilterParamUnderWrongRouteType")
	many := simtest.Args{"RouteTableId": "vtb-1"}
	for n := range 21 {
		many[fmt.Sprintf("DestCidrBlockList.%d", n+1)] = "10.0.0.0/8"
	}
	simtest.Bad(t, sim, "DescribeRouteEntryList", many, "IllegalParam.DestCidrBlockList")
}

func TestNumberedPages(t *testing.T) {
	sim := simtest.NewFull(t, alisim.Options{}, 0, 25)
	for _, tt := range []struct {
		number, size string
		want         int
	}{{"", "", 10}, {"3", "", 5}, {"4", "", 0}, {"1", "50", 25}} {
		a := simtest.AskECS(t, sim, "DescribeInstanceStatus", simtest.Args{"PageNumber": tt.number, "PageSize": tt.size})
		if got := simtest.Count(a, "InstanceStatuses", "InstanceStatus"); got != tt.want || a.At("TotalCount") != 25.0 {
			t.Errorf("page %q of %q: %d of %v, want %d of 25", tt.number, tt.size, got, a.At("TotalCount"), tt.want)
		}
	}
	for _, with := range []simtest.Args{{"PageSize": "51"}, {"PageSize": "0"}, {"PageNumber": "0"}, {"PageNumber": "x"}} {
		if a := simtest.Ask(t, sim, "DescribeVpcs", with); a.Status != 400 {
			t.Errorf("%v: %d", with, a.Status)
		}
	}
}

func TestNetworkIsDescribed(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	a := simtest.Good(t, sim, "DescribeRouteTableList", simtest.Args{"VpcId": "vpc-1", "PageSize": "50"})
	tables := []any{}
	for n := range 2 {
		row := func(name string) any { return a.At("RouterTableList", "RouterTableListType", n, name) }
		tables = append(tables, row("RouteTableId"), row("RouteTableType"), row("AssociateType"), a.At("RouterTableList", "RouterTableListType", n, "VSwitchIds", "VSwitchId", 0))
	}
	if diff := cmp.Diff([]any{"vtb-1", "System", "VSwitch", "vsw-1", "vtb-2", "Custom", "VSwitch", "vsw-2"}, tables); diff != "" {
		t.Error(diff)
	}
	a = simtest.Good(t, sim, "DescribeVpcAttribute", simtest.Args{"VpcId": "vpc-1"})
	if a.At("CidrBlock") != "192.168.0.0/16" || a.At("VRouterId") != "vrt-1" {
		t.Errorf("attribute: %v", a.Body)
	}
	simtest.Bad(t, sim, "DescribeVpcAttribute", simtest.Args{"VpcId": "vpc-9"}, "InvalidVpcId.NotFound")
	simtest.Bad(t, sim, "DescribeVSwitches", simtest.Args{"RegionId": ""}, "MissingParameter")
	simtest.Bad(t, sim, "DescribeRouteEntryList", simtest.Args{"RegionId": "", "RouteTableId": "vtb-1"}, "MissingParameter")
	simtest.Bad(t, sim, "DescribeRouteTables", nil, "MissingParameter")
	if got := simtest.Good(t, sim, "DescribeVpcs", simtest.Args{"VpcId": "vpc-1,vpc-9"}).At("TotalCount"); got != 1.0 {
		t.Errorf("%v VPCs", got)
	}
	// Clients of the old time ask for the same under the ECS version.
	if got := simtest.AskECS(t, sim, "DescribeRouteTables", simtest.Args{"VRouterId": "vrt-1"}).At("TotalCount"); got != 2.0 {
		t.Errorf("%v tables of the router", got)
	}
	identity := simtest.Ask(t, sim, "GetCallerIdentity", simtest.Args{"Version": "2015-04-01"})
	if identity.At("AccountId") != "1000000000000001" {
		t.Errorf("identity: %v", identity.Body)
	}
}
