package vpc_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestEntryPassesThroughItsStates(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		id := simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.5.0/24")).At("RouteEntryId").(string)
		simtest.ExpectEntries(t, sim, "after create", "172.20.5.0/24 i-1 Pending")
		time.Sleep(simtest.TaskTime - time.Nanosecond)
		simtest.ExpectEntries(t, sim, "just before the end", "172.20.5.0/24 i-1 Pending")
		time.Sleep(time.Nanosecond)
		simtest.ExpectEntries(t, sim, "at the end", "172.20.5.0/24 i-1 Available")

		simtest.Good(t, sim, "ModifyRouteEntry", simtest.Args{"RouteEntryId": id, "NewNextHopId": "i-2", "Description": "moved"})
		simtest.ExpectEntries(t, sim, "after modify", "172.20.5.0/24 i-1 Modifying")
		time.Sleep(simtest.TaskTime)
		simtest.ExpectEntries(t, sim, "modified", "172.20.5.0/24 i-2 Available")
		if r := sim.Routes("vtb-1"); r[len(r)-1].ID != id || r[len(r)-1].Description != "moved" {
			t.Errorf("modified entry is %+v, want id %s", r[len(r)-1], id)
		}

		simtest.Good(t, sim, "DeleteRouteEntry", simtest.Args{"RouteEntryId": id})
		simtest.ExpectEntries(t, sim, "after delete", "172.20.5.0/24 i-2 Deleting")
		time.Sleep(simtest.TaskTime)
		simtest.ExpectEntries(t, sim, "deleted")
	})
}

func TestOneTaskAtATimePerVPC(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
		time.Sleep(simtest.TaskTime)
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.2.0/24"))

		simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.3.0/24"), "TaskConflict")
		simtest.Bad(t, sim, "CreateRouteEntry", simtest.Args{"RouteTableId": "vtb-2", "DestinationCidrBlock": "172.20.3.0/24", "NextHopId": "i-3"}, "TaskConflict")
		simtest.Bad(t, sim, "CreateRouteEntries", simtest.BatchArgs("vtb-2 172.20.3.0/24 i-1"), "TaskConflict")
		simtest.Bad(t, sim, "DeleteRouteEntries", simtest.BatchArgs("vtb-1 172.20.1.0/24 i-1"), "TaskConflict")
		simtest.Bad(t, sim, "DeleteRouteEntry", simtest.EntryArgs("172.20.1.0/24"), "TaskConflict")
		simtest.Bad(t, sim, "DeleteRouteEntry", simtest.EntryArgs("172.20.2.0/24"), "IncorrectRouteEntryStatus")
		simtest.Bad(t, sim, "ModifyRouteEntry", simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.2.0/24", "NewNextHopId": "i-2"}, "IncorrectRouteEntryStatus")
		simtest.Bad(t, sim, "AssociateRouteTable", simtest.Args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"}, "TaskConflict")
		simtest.ExpectEntries(t, sim, "nothing was changed", "172.20.1.0/24 i-1 Available", "172.20.2.0/24 i-1 Pending")

		at, ok := sim.Settles()
		if !ok || time.Until(at) != simtest.TaskTime {
			t.Errorf("settles in %v, %v; want in %v", time.Until(at), ok, simtest.TaskTime)
		}
		time.Sleep(simtest.TaskTime)
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.3.0/24"))
	})
}

func TestStuckEntryBlocksItsTable(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Stick: true})
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
		time.Sleep(time.Hour)
		simtest.ExpectEntries(t, sim, "an hour later", "172.20.1.0/24 i-1 Pending")
		simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.2.0/24"), "IncorrectRouteEntryStatus")
		simtest.Bad(t, sim, "DeleteRouteEntry", simtest.EntryArgs("172.20.1.0/24"), "IncorrectRouteEntryStatus")
		a := simtest.Good(t, sim, "CreateRouteEntries", simtest.BatchArgs("vtb-1 172.20.1.0/24 i-1", "vtb-1 172.20.2.0/24 i-1"))
		if got := a.At("FailedRouteEntries", 0, "FailedCode"); got != "VPC_ROUTE_ENTRY_STATUS_ERROR" {
			t.Errorf("batch says %v", got)
		}
	})
}

func TestAcceptedCreateMayVanish(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Vanish: true})
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
		simtest.ExpectEntries(t, sim, "accepted", "172.20.1.0/24 i-1 Pending")
		time.Sleep(simtest.TaskTime)
		simtest.ExpectEntries(t, sim, "vanished")
	})
}

func TestAssociationTakesEffectAtOnce(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		changed := sim.Changed()
		simtest.Good(t, sim, "AssociateRouteTable", simtest.Args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"})
		select {
		case <-changed:
		default:
			t.Error("nobody was woken")
		}
		status := func() any {
			a := simtest.Good(t, sim, "DescribeVSwitches", simtest.Args{"VpcId": "vpc-1", "VSwitchId": "vsw-1"})
			return []any{a.At("VSwitches", "VSwitch", 0, "RouteTable", "RouteTableId"), a.At("VSwitches", "VSwitch", 0, "Status")}
		}
		if diff := cmp.Diff([]any{"vtb-2", "Pending"}, status()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(simtest.TaskTime)
		if diff := cmp.Diff([]any{"vtb-2", "Available"}, status()); diff != "" {
			t.Error(diff)
		}
		simtest.Bad(t, sim, "AssociateRouteTable", simtest.Args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"}, "ResourceAlreadyAssociated.RouteTable")
	})
}

func TestClientTokenIsRemembered(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		first := simtest.EntryArgs("172.20.1.0/24")
		first["ClientToken"] = "token-1"
		id := simtest.Good(t, sim, "CreateRouteEntry", first).At("RouteEntryId")
		simtest.Bad(t, sim, "CreateRouteEntry", first, "LastTokenProcessing")
		time.Sleep(simtest.TaskTime)
		if again := simtest.Good(t, sim, "CreateRouteEntry", first).At("RouteEntryId"); again != id {
			t.Errorf("repeated create gave %v, want %v", again, id)
		}
		other := simtest.EntryArgs("172.20.2.0/24")
		other["ClientToken"] = "token-1"
		simtest.Bad(t, sim, "CreateRouteEntry", other, "IdempotentParameterMismatch")
		simtest.ExpectEntries(t, sim, "one entry", "172.20.1.0/24 i-1 Available")
	})
}

func TestNextTokenExpires(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		list := simtest.Args{"RouteTableId": "vtb-1", "MaxResult": "1"}
		token := simtest.Good(t, sim, "DescribeRouteEntryList", list).At("NextToken").(string)
		if token == "" {
			t.Fatal("no token for the second page")
		}
		list["NextToken"] = token
		simtest.Good(t, sim, "DescribeRouteEntryList", list)
		time.Sleep(time.Hour)
		simtest.Bad(t, sim, "DescribeRouteEntryList", list, "IllegalParam.NextTokenExpired")
		list["NextToken"] = "made up"
		simtest.Bad(t, sim, "DescribeRouteEntryList", list, "IllegalParam.NextToken")
		simtest.Bad(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-2", "NextToken": token}, "IllegalParam.NextToken")
	})
}
