package vpc_test

import (
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestIPv6Entries(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, simtest.DualStack)
	for n, tt := range []struct{ destination, hop, kind, code string }{
		{"fd00:1::/64", "i-3", "Instance", ""},
		{"fd00:2::/64", "eni-b", "NetworkInterface", ""},
		{"fd00:3::1", "i-3", "Instance", ""},
		{"::/0", "i-3", "Instance", ""},
		{"fd00:4::/64", "i-2", "Instance", "OperationFailed.InvalidNexthop"},
		{"fd00:5::/64", "eni-3", "NetworkInterface", "OperationUnsupported.Ipv6EntryOnPrimaryNetworkInterface"},
		{"fd00:6::/64", "eni-1-2", "NetworkInterface", "OperationUnsupported.MutipleIpv6Address"},
		{"fd00:1::/64", "i-3", "Instance", "InvalidCIDRBlock.Duplicate"},
		{"2001:db8::/80", "i-3", "Instance", "OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch"},
		{"2001:db8::/56", "i-3", "Instance", "OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch"},
		{"2001:db8:0:2::/64", "i-3", "Instance", ""},
		{"fe80::/64", "i-3", "Instance", "InvalidDestinationCidrBlock"},
		{"ff02::/16", "i-3", "Instance", "InvalidDestinationCidrBlock"},
		{"fd00:7::1/64", "i-3", "Instance", "InvalidCidrBlock.Malformed"},
		{"172.20.1.0/24", "eni-b", "NetworkInterface", ""},
	} {
		a := simtest.Ask(t, sim, "CreateRouteEntry", simtest.Args{
			"RouteTableId": "vtb-1", "DestinationCidrBlock": tt.destination, "NextHopId": tt.hop, "NextHopType": tt.kind,
		})
		if a.Code() != tt.code {
			t.Errorf("%d: %s by %s: %q, want %q", n, tt.destination, tt.hop, a.Code(), tt.code)
		}
	}
	for version, want := range map[string]int{"ipv6": 7, "IPv4": 4} { // with the system entries of two vSwitches
		a := simtest.Good(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "IpVersion": version, "MaxResult": "50"})
		if got := simtest.Count(a, "RouteEntrys", "RouteEntry"); got != want {
			t.Errorf("%s: %d entries, want %d", version, got, want)
		}
	}
	one := simtest.BatchArgs("vtb-2 fd00:1::/64 i-3")
	one["RouteEntries.1.IpVersion"] = "4"
	simtest.Bad(t, sim, "CreateRouteEntries", one, "IllegalParam.IpVersion")
	one["RouteEntries.1.IpVersion"] = "6"
	simtest.Good(t, sim, "CreateRouteEntries", one)
	// A route that leads to a secondary interface holds the instance, too.
	if err := sim.RemoveInstance("i-1"); err == nil {
		t.Error("the instance was released under a route to its secondary interface")
	}
}
