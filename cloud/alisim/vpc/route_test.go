package vpc_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
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
			if got := simtest.Ask(t, simtest.New(t, alisim.Options{}), "CreateRouteEntry", simtest.EntryArgs(destination)).Code(); got != want.single {
				t.Errorf("single: %q, want %q", got, want.single)
			}
			a := simtest.Ask(t, simtest.New(t, alisim.Options{}), "CreateRouteEntries", simtest.BatchArgs("vtb-1 "+destination+" i-1"))
			got, _ := a.At("FailedRouteEntries", 0, "FailedCode").(string)
			if a.Code() != "" {
				got = "whole " + a.Code()
			}
			if got != want.batch {
				t.Errorf("batch: %q, want %q", got, want.batch)
			}
		})
	}
}

func TestNextHops(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) {
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
		a := simtest.EntryArgs(fmt.Sprintf("172.20.%d.0/24", n))
		a["NextHopId"], a["NextHopType"] = tt.hop, tt.hopType
		simtest.Bad(t, sim, "CreateRouteEntry", a, tt.code)
	}
}

func TestNamesAndDescriptions(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for n, tt := range []struct{ name, description, code string }{
		{strings.Repeat("n", 128), strings.Repeat("d", 256), ""},
		{strings.Repeat("n", 129), "", "InvalidRouteEntryName.Malformed"},
		{"http://x", "", "InvalidRouteEntryName.Malformed"},
		{"", strings.Repeat("d", 257), "InvalidDescription.Malformed"},
		{"", "https://x", "InvalidDescription.Malformed"},
	} {
		a := simtest.EntryArgs(fmt.Sprintf("172.20.%d.0/24", n))
		a["RouteEntryName"], a["Description"] = tt.name, tt.description
		simtest.Bad(t, sim, "CreateRouteEntry", a, tt.code)
	}
}

func TestBatchAnswersByItem(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.5.0/24"))
	a := simtest.Good(t, sim, "CreateRouteEntries", simtest.BatchArgs(
		"vtb-1 172.20.5.0/24 i-2", "vtb-1 172.20.6.0/24 i-2", "vtb-2 172.20.6.0/24 i-2", "vtb-1 172.20.7.0/24 i-9"))
	if a.At("SuccessCount") != 2.0 || a.At("FailedCount") != 2.0 {
		t.Errorf("counts are %v and %v", a.At("SuccessCount"), a.At("FailedCount"))
	}
	if ids, _ := a.At("RouteEntryIds").([]any); len(ids) != 2 {
		t.Errorf("ids are %v", ids)
	}
	want := map[string]any{
		"DstCidrBlock": "172.20.5.0/24", "NextHop": "i-2", "FailedCode": "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE",
		"FailedMessage": "Specified CIDR block is already exists, entry.cidrBlock=172.20.5.0/24",
	}
	if diff := cmp.Diff(want, a.At("FailedRouteEntries", 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"172.20.5.0/24 i-1 Available", "172.20.6.0/24 i-2 Available"}, simtest.CustomEntries(sim)); diff != "" {
		t.Error(diff)
	}

	a = simtest.Good(t, sim, "DeleteRouteEntries", simtest.BatchArgs("vtb-1 172.20.5.0/24 i-2", "vtb-2 172.20.6.0/24 i-2", "vtb-1 192.168.0.0/20 i-1"))
	if a.At("SuccessCount") != 1.0 || a.At("FailedRouteEntries", 0, "FailedCode") != "VPC_ROUTER_ENTRY_NOT_EXIST" {
		t.Errorf("batch delete says %v", a.Body)
	}
	id := sim.Routes("vtb-1")[0].ID // a system entry
	a = simtest.Good(t, sim, "DeleteRouteEntries", simtest.Args{"RouteEntries.1.RouteTableId": "vtb-1", "RouteEntries.1.RouteEntryId": id})
	if a.At("FailedRouteEntries", 0, "FailedCode") != "OperationDenied" {
		t.Errorf("deleting a system entry says %v", a.Body)
	}
}

func TestBatchFailsAsAWhole(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) {
		s.VPCs[0].Tables = append(s.VPCs[0].Tables, alisim.Table{ID: "vtb-gw", Gateway: true})
	})
	var many []string
	for n := range 51 {
		many = append(many, fmt.Sprintf("vtb-1 172.20.%d.0/24 i-1", n))
	}
	simtest.Bad(t, sim, "CreateRouteEntries", simtest.BatchArgs(many...), "IllegalParam.RouteEntries")
	simtest.Bad(t, sim, "CreateRouteEntries", simtest.Args{}, "MissingParameter")
	simtest.Bad(t, sim, "CreateRouteEntries", simtest.Args{"RouteEntries.1.DstCidrBlock": "172.20.0.0/24"}, "MissingParam.RouteTableId")
	simtest.Bad(t, sim, "CreateRouteEntries", simtest.BatchArgs("vtb-9 172.20.0.0/24 i-1"), "InvalidRouteTableId.NotFound")
	simtest.Bad(t, sim, "DeleteRouteEntries", simtest.Args{"RouteEntries.1.RouteTableId": "vtb-1"}, "MissingParameter")
	if got := simtest.CustomEntries(sim); got != nil {
		t.Errorf("something was made: %v", got)
	}
	if a := simtest.Good(t, sim, "CreateRouteEntries", simtest.BatchArgs(many[:50]...)); a.At("SuccessCount") != 50.0 {
		t.Errorf("50 items: %v", a.Body)
	}
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.Args{"RouteTableId": "vtb-gw", "DestinationCidrBlock": "10.9.0.0/24", "NextHopId": "i-1"}, "OperationDenied.RouteTableTypeNotPermitted")
	simtest.Bad(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-gw"}, "OperationDenied.UseGatewayRouteEntryQueryInterface")
}

func TestQuota(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) { s.VPCs[0].Tables[0].Quota = 2 })
	a := simtest.Good(t, sim, "CreateRouteEntries", simtest.BatchArgs("vtb-1 172.20.1.0/24 i-1", "vtb-1 172.20.2.0/24 i-1", "vtb-1 172.20.3.0/24 i-1"))
	if a.At("SuccessCount") != 2.0 || a.At("FailedRouteEntries", 0, "FailedCode") != "QuotaExceeded" {
		t.Errorf("batch beyond the quota says %v", a.Body)
	}
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.4.0/24"), "QuotaExceeded")
	simtest.Good(t, sim, "DeleteRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.4.0/24"))
	a = simtest.Good(t, sim, "GetVpcRouteEntrySummary", simtest.Args{"VpcId": "vpc-1", "RouteTableId": "vtb-1", "RouteEntryType": "Custom"})
	if got := a.At("RouteEntrySummarys", 0, "EntrySummarys", 0, "Count"); got != 2.0 {
		t.Errorf("summary counts %v", got)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	dry := func(a simtest.Args) simtest.Args { a["DryRun"] = "true"; return a }
	simtest.Bad(t, sim, "CreateRouteEntry", dry(simtest.EntryArgs("172.20.2.0/24")), "DryRunOperation")
	simtest.Bad(t, sim, "CreateRouteEntry", dry(simtest.EntryArgs("172.20.1.0/24")), "InvalidCIDRBlock.Duplicate")
	simtest.Bad(t, sim, "CreateRouteEntries", dry(simtest.BatchArgs("vtb-1 172.20.2.0/24 i-1")), "DryRunOperation")
	simtest.Bad(t, sim, "DeleteRouteEntry", dry(simtest.EntryArgs("172.20.1.0/24")), "DryRunOperation")
	simtest.Bad(t, sim, "DeleteRouteEntries", dry(simtest.BatchArgs("vtb-1 172.20.1.0/24 i-1")), "DryRunOperation")
	change := dry(simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NewNextHopId": "i-2"})
	simtest.Bad(t, sim, "ModifyRouteEntry", change, "DryRunOperation")
	if diff := cmp.Diff([]string{"172.20.1.0/24 i-1 Available"}, simtest.CustomEntries(sim)); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteAndModifyAreRefused(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	wrong := simtest.EntryArgs("172.20.1.0/24")
	wrong["NextHopId"] = "i-2"
	simtest.Bad(t, sim, "DeleteRouteEntry", wrong, "InvalidRouteEntry.NotFound")
	simtest.Bad(t, sim, "DeleteRouteEntry", simtest.Args{"RouteEntryId": "rte-9"}, "InvalidRouteEntry.NotFound")
	simtest.Bad(t, sim, "DeleteRouteEntry", simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "192.168.0.0/20"}, "OperationDenied")
	simtest.Bad(t, sim, "DeleteRouteEntry", simtest.Args{"RouteTableId": "vtb-9", "DestinationCidrBlock": "172.20.1.0/24"}, "InvalidRouteTableId.NotFound")
	simtest.Bad(t, sim, "DeleteRouteEntry", simtest.Args{"RouteTableId": "vtb-1"}, "MissingParameter")
	same := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NewNextHopId": "i-1"}
	simtest.Bad(t, sim, "ModifyRouteEntry", same, "OperationDenied.NextHopNotChanged")
	same["NewNextHopId"] = "i-9"
	simtest.Bad(t, sim, "ModifyRouteEntry", same, "InvalidNextHop.NotFound")
	if got := len(simtest.CustomEntries(sim)); got != 1 {
		t.Errorf("%d entries, want 1", got)
	}
}

func TestEveryTableHasItsSystemEntries(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for _, table := range []string{"vtb-1", "vtb-2"} {
		a := simtest.Good(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": table, "RouteEntryType": "System"})
		var got []any
		for n := range 3 {
			got = append(got, a.At("RouteEntrys", "RouteEntry", n, "DestinationCidrBlock"))
		}
		if diff := cmp.Diff([]any{"100.64.0.0/10", "192.168.0.0/20", "192.168.16.0/20"}, got); diff != "" {
			t.Error(diff)
		}
	}
	if a := simtest.Ask(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-9"}); a.Status != http.StatusBadRequest || a.Code() != "InvalidRouteTable.NotFound" {
		t.Errorf("unknown table: %d %s", a.Status, a.Code())
	}
}

func TestBareAddressesMeanTheSame(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.5.7"))
	for _, with := range []simtest.Args{{"DestinationCidrBlock": "172.20.5.7"}, {"DestCidrBlockList.1": "172.20.5.7/32"}, {"DestCidrBlockList.1": "172.20.5.7"}} {
		with["RouteTableId"] = "vtb-1"
		if got := simtest.Count(simtest.Good(t, sim, "DescribeRouteEntryList", with), "RouteEntrys", "RouteEntry"); got != 1 {
			t.Errorf("%v: %d entries", with, got)
		}
	}
	if a := simtest.Good(t, sim, "DeleteRouteEntries", simtest.BatchArgs("vtb-1 172.20.5.7 i-1")); a.At("SuccessCount") != 1.0 {
		t.Errorf("delete: %v", a.Body)
	}
}

func TestToldIDsAreNotGivenAgain(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Nothing: true})
	first := simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.5.0/24")).At("RouteEntryId")
	if again := simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.5.0/24")).At("RouteEntryId"); again == first {
		t.Errorf("both are %v", first)
	}
}

func TestListsOfNextHops(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	list := func(n int, with simtest.Args) simtest.Args {
		out := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24"}
		for i := range n {
			out[fmt.Sprintf("NextHopList.%d.NextHopId", i+1)] = "ri-1"
		}
		maps.Copy(out, with)
		return out
	}
	for code, with := range map[string]simtest.Args{
		"InvalidNexthopTypeAndList.BothNull":    list(0, nil),
		"InvalidNexthopTypeAndList.BothNotNull": list(2, simtest.Args{"NextHopId": "i-1"}),
		"InvalidNextHopList.Size":               list(1, nil),
		"InvalidNextHop.NotFound":               list(2, nil),
		"IllegalParam.NextHopType":              list(0, simtest.Args{"NextHopId": "x-1", "NextHopType": "Tunnel"}),
		"MissingParameter":                      list(0, simtest.Args{"NextHopType": "Instance"}),
	} {
		simtest.Bad(t, sim, "CreateRouteEntry", with, code)
	}
}

func TestIPv4InTheClothesOfIPv6(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("::ffff:10.1.0.0/112"), "IllegalParam.CidrBlock")
}
