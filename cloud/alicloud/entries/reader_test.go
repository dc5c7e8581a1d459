package entries

import (
	"errors"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"
	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

func entry(destination string, hops ...vpc.NextHop) vpc.RouteEntry {
	r := api.Route{Table: "vtb-1", Mark: api.Mark{Cluster: "c", Host: "i-1"}}
	r.Destination, _ = call.ParsePrefix(destination) // not valid in some tests
	return vpc.RouteEntry{
		RouteEntryId: "rte-1", DestinationCidrBlock: destination, Status: "Available", Type: "Custom",
		RouteEntryName: r.Mark.Name(), Description: api.Seal{}.Description(r),
		NextHops: vpc.NextHopsInDescribeRouteTables{NextHop: hops},
	}
}

func TestReadEntry(t *testing.T) {
	instance := vpc.NextHop{NextHopId: "i-1", NextHopType: "instance"}
	for name, test := range map[string]struct {
		entry vpc.RouteEntry
		want  string
		owned bool
	}{
		"ours":            {entry("10.0.0.0/24", instance), "10.0.0.0/24 -> i-1 in vtb-1", true},
		"bare address":    {entry("10.0.0.1", instance), "10.0.0.1/32 -> i-1 in vtb-1", true},
		"host bits":       {entry("10.0.0.1/24", instance), "10.0.0.0/24 -> i-1 in vtb-1", true},
		"two next hops":   {entry("10.0.0.0/24", instance, vpc.NextHop{NextHopId: "i-2", NextHopType: "Instance"}), "10.0.0.0/24 -> i-1,i-2 in vtb-1", false},
		"no next hop":     {entry("10.0.0.0/24"), "10.0.0.0/24 ->  in vtb-1", false},
		"another type":    {entry("10.0.0.0/24", vpc.NextHop{NextHopId: "ngw-1", NextHopType: "NatGateway"}), "10.0.0.0/24 -> ngw-1 in vtb-1", false},
		"IPv6 is foreign": {entry("fd00::/64", vpc.NextHop{NextHopId: "x", NextHopType: "IPv6Gateway"}), "fd00::/64 -> x in vtb-1", false},
	} {
		got, err := readEntry(api.Seal{}, "vtb-1", test.entry)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(test.want, got.String()); diff != "" || got.OwnedBy("c") != test.owned {
			t.Errorf("%s: owned %t, want %t (-want +got):\n%s", name, got.OwnedBy("c"), test.owned, diff)
		}
	}
	if _, err := readEntry(api.Seal{}, "vtb-1", entry("")); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("no destination: got %v, want ErrUnreachable", err)
	}
}

func TestIsCustomRange(t *testing.T) {
	system, list := entry("10.0.0.0/24"), entry("pl-1")
	system.Type = "System"
	if isCustomRange(system) || isCustomRange(list) || !isCustomRange(entry("10.0.0.0/24")) {
		t.Error("only custom entries of ranges belong")
	}
}
