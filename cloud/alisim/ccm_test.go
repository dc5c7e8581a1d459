package alisim_test

import (
	"fmt"
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

// routeController sends what Alibaba's cloud controller sends: each parameter in the query
// of a POST without a body, by the vendor's SDK.
func routeController(t *testing.T, sim *alisim.Sim, action string, with simtest.Args) simtest.Answer {
	t.Helper()
	all := simtest.Args{"Action": action, "Version": "2016-04-28", "Format": "JSON", "RegionId": "cn-hangzhou", "SignatureType": ""}
	maps.Copy(all, with)
	return simtest.Do(t, sim, httptest.NewRequest(http.MethodPost, "/?"+simtest.Encode(all), nil))
}

// TestRouteControllerPages lists 230 entries by pages of 500, in either reading of what the
// cloud makes of that, and as the controller does: until no token comes back.
func TestRouteControllerPages(t *testing.T) {
	for reading, want := range map[alisim.Reading][]int{"": {100, 100, 30}, alisim.Allow: {230}} {
		t.Run("long pages "+string(reading), func(t *testing.T) {
			opts := alisim.Options{Readings: alisim.Readings{LongPage: reading}}
			sim := simtest.New(t, opts, func(s *alisim.Seed) { s.VPCs[0].Tables[0].Quota = 250 })
			for from := 0; from < 230; from += 46 {
				var items []string
				for n := from; n < from+46; n++ {
					items = append(items, fmt.Sprintf("vtb-1 172.%d.%d.0/24 i-1", 20+n/200, n%200))
				}
				if a := routeController(t, sim, "CreateRouteEntries", simtest.BatchArgs(items...)); a.At("SuccessCount") != 46.0 {
					t.Fatal(a)
				}
			}
			var pages []int
			with := simtest.Args{"RouteTableId": "vtb-1", "RouteEntryType": "Custom", "NextHopType": "Instance", "MaxResult": "500"}
			for token := "x"; token != ""; with["NextToken"] = token {
				a := routeController(t, sim, "DescribeRouteEntryList", with)
				if a.Status != http.StatusOK {
					t.Fatal(a)
				}
				pages = append(pages, simtest.Count(a, "RouteEntrys", "RouteEntry"))
				token, _ = a.At("NextToken").(string)
			}
			if diff := cmp.Diff(want, pages); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRouteControllerReconciles is its cycle for one node: look, make, meet the task of
// others, and remove by table, destination and next hop, twice.
func TestRouteControllerReconciles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{TaskTime: 2 * time.Second})
		look := simtest.Args{
			"RouteTableId": "vtb-1", "MaxResult": "500", "RouteEntryType": "Custom",
			"NextHopId": "i-1", "NextHopType": "Instance", "DestinationCidrBlock": "172.20.1.0/24",
		}
		if a := routeController(t, sim, "DescribeRouteEntryList", look); simtest.Count(a, "RouteEntrys", "RouteEntry") != 0 {
			t.Errorf("found before it was made: %v", a)
		}
		single := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NextHopType": "Instance", "NextHopId": "i-1"}
		if a := routeController(t, sim, "CreateRouteEntry", single); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		a := routeController(t, sim, "DescribeRouteEntryList", look)
		if kind := a.At("RouteEntrys", "RouteEntry", 0, "NextHops", "NextHop", 0, "NextHopType"); kind != "Instance" {
			t.Errorf("while it is made, the type of its next hop is %v", kind) // compared with letter case
		}
		if a := routeController(t, sim, "CreateRouteEntries", simtest.BatchArgs("vtb-1 172.20.2.0/24 i-1")); a.Status != http.StatusBadRequest || a.Code() != "TaskConflict" {
			t.Errorf("a batch meanwhile: %v", a)
		}
		time.Sleep(3 * time.Second)
		// Of two items for one instance one fails; the controller takes this code for success.
		a = routeController(t, sim, "CreateRouteEntries", simtest.BatchArgs("vtb-1 172.20.1.0/24 i-1", "vtb-1 172.20.2.0/24 i-1"))
		if code := a.At("FailedRouteEntries", 0, "FailedCode"); a.At("FailedCount") != 1.0 || code != "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE" {
			t.Errorf("batch: %v", a)
		}
		time.Sleep(3 * time.Second)
		gone := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NextHopId": "i-1"}
		if a := routeController(t, sim, "DeleteRouteEntry", gone); a.Status != http.StatusOK {
			t.Fatal(a)
		}
		time.Sleep(3 * time.Second)
		if a := routeController(t, sim, "DeleteRouteEntry", gone); a.Code() != "InvalidRouteEntry.NotFound" {
			t.Errorf("deleting again: %v", a)
		}
		a = routeController(t, sim, "DeleteRouteEntries", simtest.BatchArgs("vtb-1 172.20.1.0/24 i-1"))
		if code := a.At("FailedRouteEntries", 0, "FailedCode"); code != "VPC_ROUTER_ENTRY_NOT_EXIST" {
			t.Errorf("batch of what is gone: %v", a)
		}
	})
}
