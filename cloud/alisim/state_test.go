package alisim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
)

const taskTime = 3 * time.Second

// inBubble runs a test with a fake clock and changes that take taskTime.
func inBubble(t *testing.T, f func(*testing.T, *alisim.Sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newSim(t, alisim.Options{TaskTime: taskTime})) })
}

func expect(t *testing.T, sim *alisim.Sim, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, custom(sim)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func TestEntryPassesThroughItsStates(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *alisim.Sim) {
		id := good(t, sim, "CreateRouteEntry", entry("172.20.5.0/24")).at("RouteEntryId").(string)
		expect(t, sim, "after create", "172.20.5.0/24 i-1 Pending")
		time.Sleep(taskTime - time.Nanosecond)
		expect(t, sim, "just before the end", "172.20.5.0/24 i-1 Pending")
		time.Sleep(time.Nanosecond)
		expect(t, sim, "at the end", "172.20.5.0/24 i-1 Available")

		good(t, sim, "ModifyRouteEntry", args{"RouteEntryId": id, "NewNextHopId": "i-2", "Description": "moved"})
		expect(t, sim, "after modify", "172.20.5.0/24 i-1 Modifying")
		time.Sleep(taskTime)
		expect(t, sim, "modified", "172.20.5.0/24 i-2 Available")
		if r := sim.Routes("vtb-1"); r[len(r)-1].ID != id || r[len(r)-1].Description != "moved" {
			t.Errorf("modified entry is %+v, want id %s", r[len(r)-1], id)
		}

		good(t, sim, "DeleteRouteEntry", args{"RouteEntryId": id})
		expect(t, sim, "after delete", "172.20.5.0/24 i-2 Deleting")
		time.Sleep(taskTime)
		expect(t, sim, "deleted")
	})
}

func TestOneTaskAtATimePerVPC(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *alisim.Sim) {
		good(t, sim, "CreateRouteEntry", entry("172.20.1.0/24"))
		time.Sleep(taskTime)
		good(t, sim, "CreateRouteEntry", entry("172.20.2.0/24"))

		bad(t, sim, "CreateRouteEntry", entry("172.20.3.0/24"), "TaskConflict")
		bad(t, sim, "CreateRouteEntry", args{"RouteTableId": "vtb-2", "DestinationCidrBlock": "172.20.3.0/24", "NextHopId": "i-3"}, "TaskConflict")
		bad(t, sim, "CreateRouteEntries", batch("vtb-2 172.20.3.0/24 i-1"), "TaskConflict")
		bad(t, sim, "DeleteRouteEntries", batch("vtb-1 172.20.1.0/24 i-1"), "TaskConflict")
		bad(t, sim, "DeleteRouteEntry", entry("172.20.1.0/24"), "TaskConflict")
		bad(t, sim, "DeleteRouteEntry", entry("172.20.2.0/24"), "IncorrectRouteEntryStatus")
		bad(t, sim, "ModifyRouteEntry", args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.2.0/24", "NewNextHopId": "i-2"}, "IncorrectRouteEntryStatus")
		bad(t, sim, "AssociateRouteTable", args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"}, "TaskConflict")
		expect(t, sim, "nothing was changed", "172.20.1.0/24 i-1 Available", "172.20.2.0/24 i-1 Pending")

		at, ok := sim.Settles()
		if !ok || time.Until(at) != taskTime {
			t.Errorf("settles in %v, %v; want in %v", time.Until(at), ok, taskTime)
		}
		time.Sleep(taskTime)
		good(t, sim, "CreateRouteEntry", entry("172.20.3.0/24"))
	})
}

func TestStuckEntryBlocksItsTable(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *alisim.Sim) {
		sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Stick: true})
		good(t, sim, "CreateRouteEntry", entry("172.20.1.0/24"))
		time.Sleep(time.Hour)
		expect(t, sim, "an hour later", "172.20.1.0/24 i-1 Pending")
		bad(t, sim, "CreateRouteEntry", entry("172.20.2.0/24"), "IncorrectRouteEntryStatus")
		bad(t, sim, "DeleteRouteEntry", entry("172.20.1.0/24"), "IncorrectRouteEntryStatus")
		a := good(t, sim, "CreateRouteEntries", batch("vtb-1 172.20.1.0/24 i-1", "vtb-1 172.20.2.0/24 i-1"))
		if got := a.at("FailedRouteEntries", 0, "FailedCode"); got != "VPC_ROUTE_ENTRY_STATUS_ERROR" {
			t.Errorf("batch says %v", got)
		}
	})
}

func TestAcceptedCreateMayVanish(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *alisim.Sim) {
		sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Vanish: true})
		good(t, sim, "CreateRouteEntry", entry("172.20.1.0/24"))
		expect(t, sim, "accepted", "172.20.1.0/24 i-1 Pending")
		time.Sleep(taskTime)
		expect(t, sim, "vanished")
	})
}

func TestAssociationTakesEffectAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *alisim.Sim) {
		changed := sim.Changed()
		good(t, sim, "AssociateRouteTable", args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"})
		select {
		case <-changed:
		default:
			t.Error("nobody was woken")
		}
		status := func() any {
			a := good(t, sim, "DescribeVSwitches", args{"VpcId": "vpc-1", "VSwitchId": "vsw-1"})
			return []any{a.at("VSwitches", "VSwitch", 0, "RouteTable", "RouteTableId"), a.at("VSwitches", "VSwitch", 0, "Status")}
		}
		if diff := cmp.Diff([]any{"vtb-2", "Pending"}, status()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(taskTime)
		if diff := cmp.Diff([]any{"vtb-2", "Available"}, status()); diff != "" {
			t.Error(diff)
		}
		bad(t, sim, "AssociateRouteTable", args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"}, "ResourceAlreadyAssociated.RouteTable")
	})
}

func TestClientTokenIsRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *alisim.Sim) {
		first := entry("172.20.1.0/24")
		first["ClientToken"] = "token-1"
		id := good(t, sim, "CreateRouteEntry", first).at("RouteEntryId")
		bad(t, sim, "CreateRouteEntry", first, "LastTokenProcessing")
		time.Sleep(taskTime)
		if again := good(t, sim, "CreateRouteEntry", first).at("RouteEntryId"); again != id {
			t.Errorf("repeated create gave %v, want %v", again, id)
		}
		other := entry("172.20.2.0/24")
		other["ClientToken"] = "token-1"
		bad(t, sim, "CreateRouteEntry", other, "IdempotentParameterMismatch")
		expect(t, sim, "one entry", "172.20.1.0/24 i-1 Available")
	})
}

func TestNextTokenExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, sim *alisim.Sim) {
		list := args{"RouteTableId": "vtb-1", "MaxResult": "1"}
		token := good(t, sim, "DescribeRouteEntryList", list).at("NextToken").(string)
		if token == "" {
			t.Fatal("no token for the second page")
		}
		list["NextToken"] = token
		good(t, sim, "DescribeRouteEntryList", list)
		time.Sleep(time.Hour)
		bad(t, sim, "DescribeRouteEntryList", list, "IllegalParam.NextTokenExpired")
		list["NextToken"] = "made up"
		bad(t, sim, "DescribeRouteEntryList", list, "IllegalParam.NextToken")
		bad(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-2", "NextToken": token}, "IllegalParam.NextToken")
	})
}
