package alisim_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

// alivpc sends what flannel's backend of that name sent until v0.20: GET, and the version of
// ECS for the actions of VPC too. Without a region where the old client knows none.
func alivpc(t *testing.T, sim *alisim.Sim, action string, with simtest.Args) simtest.Answer {
	t.Helper()
	all := simtest.Args{"Action": action, "Version": "2014-05-26", "Format": "JSON"}
	maps.Copy(all, with)
	return simtest.Do(t, sim, httptest.NewRequest(http.MethodGet, "/?"+simtest.Encode(all), nil))
}

// TestFlannelRegisters is one start of flannel on an instance: VPC, router, table, create,
// then poll until all entries are Available; and a second start that finds its entry.
func TestFlannelRegisters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{TaskTime: 2 * time.Second})
		a := alivpc(t, sim, "DescribeVpcs", simtest.Args{"RegionId": "cn-hangzhou", "VpcId": "vpc-1"})
		router, _ := a.At("Vpcs", "Vpc", 0, "VRouterId").(string)
		a = alivpc(t, sim, "DescribeVRouters", simtest.Args{"RegionId": "cn-hangzhou", "VRouterId": router})
		table, _ := a.At("VRouters", "VRouter", 0, "RouteTableIds", "RouteTableId", 0).(string)
		if table != "vtb-1" {
			t.Fatalf("the first table of router %q is %q, want the system table", router, table)
		}
		read := func() simtest.Answer {
			return alivpc(t, sim, "DescribeRouteTables", simtest.Args{"VRouterId": router, "RouteTableId": table})
		}
		// The old client reads the time into a Go time and drops the answer where it cannot.
		made, _ := read().At("RouteTables", "RouteTable", 0, "CreationTime").(string)
		if _, err := time.Parse("2006-01-02T15:04:05Z", made); err != nil {
			t.Errorf("CreationTime: %v", err)
		}
		create := simtest.Args{"RouteTableId": table, "DestinationCidrBlock": "172.20.5.0/24", "NextHopType": "Instance", "NextHopId": "i-1"}
		if a := alivpc(t, sim, "CreateRouteEntry", create); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		if diff := cmp.Diff([]string{"172.20.5.0/24"}, unsettled(read())); diff != "" {
			t.Errorf("not Available at once (-want +got):\n%s", diff)
		}
		time.Sleep(5 * time.Second)
		a = read()
		if open := unsettled(a); open != nil {
			t.Errorf("not Available at the second look: %v", open)
		}
		entries := a.At("RouteTables", "RouteTable", 0, "RouteEntrys", "RouteEntry").([]any)
		last := entries[len(entries)-1].(map[string]any)
		want := map[string]any{"RouteTableId": table, "Type": "Custom", "InstanceId": "i-1", "DestinationCidrBlock": "172.20.5.0/24", "Status": "Available"}
		for name, value := range want {
			if last[name] != value {
				t.Errorf("the entry's %s is %v, want %v: flannel would make it anew", name, last[name], value)
			}
		}
	})
}

// TestFlannelMovesOn gives an instance another lease: flannel deletes the old entry and
// creates the new one in the same breath, which the cloud refuses; it starts over and wins.
func TestFlannelMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{TaskTime: 2 * time.Second})
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.5.0/24"))
		time.Sleep(3 * time.Second)
		remove := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24", "NextHopId": "i-1"}
		if a := alivpc(t, sim, "DeleteRouteEntry", remove); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		create := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.6.0/24", "NextHopType": "Instance", "NextHopId": "i-1"}
		a := alivpc(t, sim, "CreateRouteEntry", create)
		if a.Status != http.StatusBadRequest || a.Code() != "TaskConflict" || a.At("RequestId") == "" || a.At("HostId") == "" {
			t.Errorf("create during the delete: %v", a)
		}
		time.Sleep(3 * time.Second)
		if a := alivpc(t, sim, "CreateRouteEntry", create); a.Status != http.StatusOK {
			t.Errorf("create after it: %v", a)
		}
		if diff := cmp.Diff([]string{"172.20.6.0/24 i-1 Pending"}, simtest.CustomEntries(sim)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}
