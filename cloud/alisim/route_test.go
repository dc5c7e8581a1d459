package alisim_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
)

func TestDestinations(t *testing.T) {
	tests := map[string]struct{ single, batch string }{ // codes; "" is accepted
		"172.20.5.0/24":    {"", ""},
		"172.20.5.7":       {"", ""},
		"192.168.128.0/24": {"", ""}, // inside the VPC, in no vSwitch
		"192.168.0.0/20":   {"InvalidCIDRBlock.Duplicate", "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE"},
		"192.168.0.0/24":   {"InvalidCidrBlock", "InvalidCidrBlock"},
		"192.168.0.0/16":   {"", "InvalidCidrBlock"}, // contains a vSwitch: the pages differ
		"0.0.0.0/0":        {"", "InvalidCidrBlock"},
		"100.64.0.0/10":    {"InvalidCIDRBlock.Duplicate", "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE"},
		"100.64.1.0/24":    {"InvalidDestinationCidrBlock", "InvalidDestinationCidrBlock"},
		"169.254.0.0/16":   {"InvalidDestinationCidrBlock", "InvalidDestinationCidrBlock"},
		"127.0.0.0/8":      {"InvalidDestinationCidrBlock", "InvalidDestinationCidrBlock"},
		"224.0.0.0/24":     {"InvalidDestinationCidrBlock", "InvalidDestinationCidrBlock"},
		"172.20.5.1/24":    {"InvalidCidrBlock.Malformed", "whole InvalidCidrBlock.Malformed"},
		"fd00::/64":        {"OperationFailed.NotSupportIPV6", "OperationFailed.NotSupportIPV6"},
		"nonsense":         {"IllegalParam.CidrBlock", "whole IllegalParam.CidrBlock"},
	}
	for destination, want := range tests {
		t.Run(strings.ReplaceAll(destination, "/", "_"), func(t *testing.T) {
			if got := ask(t, newSim(t, alisim.Options{}), "CreateRouteEntry", entry(destination)).code(); got != want.single {
				t.Errorf("single: %q, want %q", got, want.single)
			}
			a := ask(t, newSim(t, alisim.Options{}), "CreateRouteEntries", batch("vtb-1 "+destination+" i-1"))
			got, _ := a.at("FailedRouteEntries", 0, "FailedCode").(string)
			if a.code() != "" {
				got = "whole " + a.code()
			}
			if got != want.batch {
				t.Errorf("batch: %q, want %q", got, want.batch)
			}
		})
	}
}

func TestNextHops(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) {
		s.VPCs = append(s.VPCs, alisim.VPC{
			ID: "vpc-2", CIDR: netip.MustParsePrefix("10.1.0.0/16"),
			VSwitches: []alisim.VSwitch{{ID: "vsw-9", CIDR: netip.MustParsePrefix("10.1.0.0/24")}},
		})
		s.Instances = append(s.Instances,
			alisim.Instance{ID: "i-far", VSwitch: "vsw-9", IP: netip.MustParseAddr("10.1.0.9")},
			alisim.Instance{ID: "i-new", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.77"), Status: "Starting"},
			alisim.Instance{ID: "i-off", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.78"), Status: alisim.Stopped})
	})
	tests := []struct{ hop, hopType, code string }{
		{"i-1", "", ""},
		{"i-off", "instance", ""},
		{"eni-1", "NetworkInterface", ""},
		{"i-9", "Instance", "InvalidNextHop.NotFound"},
		{"cn-hangzhou.i-1", "Instance", "IllegalParam.NextHopId"},
		{"i-far", "Instance", "OperationFailed.InstanceDismatchCurrentVpc"},
		{"i-new", "Instance", "IncorrectInstanceStatus"},
		{"ngw-1", "NatGateway", "InvalidNextHop.NotFound"},
		{"", "Instance", "MissingParameter"},
	}
	for n, tt := range tests {
		a := entry(fmt.Sprintf("172.20.%d.0/24", n))
		a["NextHopId"], a["NextHopType"] = tt.hop, tt.hopType
		bad(t, sim, "CreateRouteEntry", a, tt.code)
	}
}

func TestNamesAndDescriptions(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	for n, tt := range []struct{ name, description, code string }{
		{strings.Repeat("n", 128), strings.Repeat("d", 256), ""},
		{strings.Repeat("n", 129), "", "InvalidRouteEntryName.Malformed"},
		{"http://x", "", "InvalidRouteEntryName.Malformed"},
		{"", strings.Repeat("d", 257), "InvalidDescription.Malformed"},
		{"", "https://x", "InvalidDescription.Malformed"},
	} {
		a := entry(fmt.Sprintf("172.20.%d.0/24", n))
		a["RouteEntryName"], a["Description"] = tt.name, tt.description
		bad(t, sim, "CreateRouteEntry", a, tt.code)
	}
}

func TestBatchAnswersByItem(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	good(t, sim, "CreateRouteEntry", entry("172.20.5.0/24"))
	a := good(t, sim, "CreateRouteEntries", batch(
		"vtb-1 172.20.5.0/24 i-2", "vtb-1 172.20.6.0/24 i-2", "vtb-2 172.20.6.0/24 i-2", "vtb-1 172.20.7.0/24 i-9"))
	if a.at("SuccessCount") != 2.0 || a.at("FailedCount") != 2.0 {
		t.Errorf("counts are %v and %v", a.at("SuccessCount"), a.at("FailedCount"))
	}
	if ids, _ := a.at("RouteEntryIds").([]any); len(ids) != 2 {
		t.Errorf("ids are %v", ids)
	}
	want := map[string]any{
		"DstCidrBlock": "172.20.5.0/24", "NextHop": "i-2", "FailedCode": "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE",
		"FailedMessage": "Specified CIDR block is already exists, entry.cidrBlock=172.20.5.0/24",
	}
	if diff := cmp.Diff(want, a.at("FailedRouteEntries", 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"172.20.5.0/24 i-1 Available", "172.20.6.0/24 i-2 Available"}, custom(sim)); diff != "" {
		t.Error(diff)
	}

	a = good(t, sim, "DeleteRouteEntries", batch("vtb-1 172.20.5.0/24 i-2", "vtb-2 172.20.6.0/24 i-2", "vtb-1 192.168.0.0/20 i-1"))
	if a.at("SuccessCount") != 1.0 || a.at("FailedRouteEntries", 0, "FailedCode") != "VPC_ROUTER_ENTRY_NOT_EXIST" {
		t.Errorf("batch delete says %v", a.body)
	}
	id := sim.Routes("vtb-1")[0].ID // a system entry
	a = good(t, sim, "DeleteRouteEntries", args{"RouteEntries.1.RouteTableId": "vtb-1", "RouteEntries.1.RouteEntryId": id})
	if a.at("FailedRouteEntries", 0, "FailedCode") != "OperationDenied" {
		t.Errorf("deleting a system entry says %v", a.body)
	}
}

func TestBatchFailsAsAWhole(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) {
		s.VPCs[0].Tables = append(s.VPCs[0].Tables, alisim.Table{ID: "vtb-gw", Gateway: true})
	})
	var many []string
	for n := range 51 {
		many = append(many, fmt.Sprintf("vtb-1 172.20.%d.0/24 i-1", n))
	}
	bad(t, sim, "CreateRouteEntries", batch(many...), "IllegalParam.RouteEntries")
	bad(t, sim, "CreateRouteEntries", args{}, "MissingParameter")
	bad(t, sim, "CreateRouteEntries", args{"RouteEntries.1.DstCidrBlock": "172.20.0.0/24"}, "MissingParam.RouteTableId")
	bad(t, sim, "CreateRouteEntries", batch("vtb-9 172.20.0.0/24 i-1"), "InvalidRouteTableId.NotFound")
	bad(t, sim, "DeleteRouteEntries", args{"RouteEntries.1.RouteTableId": "vtb-1"}, "MissingParameter")
	if got := custom(sim); got != nil {
		t.Errorf("something was made: %v", got)
	}
	if a := good(t, sim, "CreateRouteEntries", batch(many[:50]...)); a.at("SuccessCount") != 50.0 {
		t.Errorf("50 items: %v", a.body)
	}
	bad(t, sim, "CreateRouteEntry", args{"RouteTableId": "vtb-gw", "DestinationCidrBlock": "10.9.0.0/24", "NextHopId": "i-1"}, "OperationDenied.RouteTableTypeNotPermitted")
	bad(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-gw"}, "OperationDenied.UseGatewayRouteEntryQueryInterface")
}

func TestQuota(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) { s.VPCs[0].Tables[0].Quota = 2 })
	a := good(t, sim, "CreateRouteEntries", batch("vtb-1 172.20.1.0/24 i-1", "vtb-1 172.20.2.0/24 i-1", "vtb-1 172.20.3.0/24 i-1"))
	if a.at("SuccessCount") != 2.0 || a.at("FailedRouteEntries", 0, "FailedCode") != "QuotaExceeded" {
		t.Errorf("batch beyond the quota says %v", a.body)
	}
	bad(t, sim, "CreateRouteEntry", entry("172.20.4.0/24"), "QuotaExceeded")
	good(t, sim, "DeleteRouteEntry", entry("172.20.1.0/24"))
	good(t, sim, "CreateRouteEntry", entry("172.20.4.0/24"))
	a = good(t, sim, "GetVpcRouteEntrySummary", args{"VpcId": "vpc-1", "RouteTableId": "vtb-1", "RouteEntryType": "Custom"})
	if got := a.at("RouteEntrySummarys", 0, "EntrySummarys", 0, "Count"); got != 2.0 {
		t.Errorf("summary counts %v", got)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	good(t, sim, "CreateRouteEntry", entry("172.20.1.0/24"))
	dry := func(a args) args { a["DryRun"] = "true"; return a }
	bad(t, sim, "CreateRouteEntry", dry(entry("172.20.2.0/24")), "DryRunOperation")
	bad(t, sim, "CreateRouteEntry", dry(entry("172.20.1.0/24")), "InvalidCIDRBlock.Duplicate")
	bad(t, sim, "CreateRouteEntries", dry(batch("vtb-1 172.20.2.0/24 i-1")), "DryRunOperation")
	bad(t, sim, "DeleteRouteEntry", dry(entry("172.20.1.0/24")), "DryRunOperation")
	bad(t, sim, "DeleteRouteEntries", dry(batch("vtb-1 172.20.1.0/24 i-1")), "DryRunOperation")
	change := dry(args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NewNextHopId": "i-2"})
	bad(t, sim, "ModifyRouteEntry", change, "DryRunOperation")
	if diff := cmp.Diff([]string{"172.20.1.0/24 i-1 Available"}, custom(sim)); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteAndModifyAreRefused(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	good(t, sim, "CreateRouteEntry", entry("172.20.1.0/24"))
	wrong := entry("172.20.1.0/24")
	wrong["NextHopId"] = "i-2"
	bad(t, sim, "DeleteRouteEntry", wrong, "InvalidRouteEntry.NotFound")
	bad(t, sim, "DeleteRouteEntry", args{"RouteEntryId": "rte-9"}, "InvalidRouteEntry.NotFound")
	bad(t, sim, "DeleteRouteEntry", args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "192.168.0.0/20"}, "OperationDenied")
	bad(t, sim, "DeleteRouteEntry", args{"RouteTableId": "vtb-9", "DestinationCidrBlock": "172.20.1.0/24"}, "InvalidRouteTableId.NotFound")
	bad(t, sim, "DeleteRouteEntry", args{"RouteTableId": "vtb-1"}, "MissingParameter")
	same := args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NewNextHopId": "i-1"}
	bad(t, sim, "ModifyRouteEntry", same, "OperationDenied.NextHopNotChanged")
	same["NewNextHopId"] = "i-9"
	bad(t, sim, "ModifyRouteEntry", same, "InvalidNextHop.NotFound")
	if got := len(custom(sim)); got != 1 {
		t.Errorf("%d entries, want 1", got)
	}
}

func TestEveryTableHasItsSystemEntries(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	for _, table := range []string{"vtb-1", "vtb-2"} {
		a := good(t, sim, "DescribeRouteEntryList", args{"RouteTableId": table, "RouteEntryType": "System"})
		var got []any
		for n := range 3 {
			got = append(got, a.at("RouteEntrys", "RouteEntry", n, "DestinationCidrBlock"))
		}
		if diff := cmp.Diff([]any{"100.64.0.0/10", "192.168.0.0/20", "192.168.16.0/20"}, got); diff != "" {
			t.Error(diff)
		}
	}
	if a := ask(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-9"}); a.status != http.StatusBadRequest || a.code() != "InvalidRouteTable.NotFound" {
		t.Errorf("unknown table: %d %s", a.status, a.code())
	}
}

func TestBareAddressesMeanTheSame(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	good(t, sim, "CreateRouteEntry", entry("172.20.5.7"))
	for _, with := range []args{{"DestinationCidrBlock": "172.20.5.7"}, {"DestCidrBlockList.1": "172.20.5.7/32"}, {"DestCidrBlockList.1": "172.20.5.7"}} {
		with["RouteTableId"] = "vtb-1"
		if got := count(good(t, sim, "DescribeRouteEntryList", with), "RouteEntrys", "RouteEntry"); got != 1 {
			t.Errorf("%v: %d entries", with, got)
		}
	}
	if a := good(t, sim, "DeleteRouteEntries", batch("vtb-1 172.20.5.7 i-1")); a.at("SuccessCount") != 1.0 {
		t.Errorf("delete: %v", a.body)
	}
}

func TestToldIDsAreNotGivenAgain(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Nothing: true})
	first := good(t, sim, "CreateRouteEntry", entry("172.20.5.0/24")).at("RouteEntryId")
	if again := good(t, sim, "CreateRouteEntry", entry("172.20.5.0/24")).at("RouteEntryId"); again == first {
		t.Errorf("both are %v", first)
	}
}
