package vpc_test

import (
	"net/http"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestVSwitchGoesBackToTheSystemTable(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Bad(t, sim, "AssociateRouteTable", simtest.Args{"RouteTableId": "vtb-1", "VSwitchId": "vsw-2"}, "OperationDenied.SwitchToSystemRouteTable")
	simtest.Bad(t, sim, "UnassociateRouteTable", simtest.Args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"}, "ResourceNotAssociated.RouteTable")
	simtest.Bad(t, sim, "UnassociateRouteTable", simtest.Args{"RouteTableId": "vtb-1", "VSwitchId": "vsw-1"}, "OperationDenied.SystemRouteTable")
	simtest.Good(t, sim, "UnassociateRouteTable", simtest.Args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-2"})
	if got := sim.Snapshot().VPCs[0].VSwitches[1].Table; got != "vtb-1" {
		t.Errorf("vsw-2 uses %s", got)
	}
}

func TestAssociationRemembersItsToken(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	with := simtest.Args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1", "ClientToken": "once"}
	simtest.Good(t, sim, "AssociateRouteTable", with)
	simtest.Good(t, sim, "AssociateRouteTable", with)
	with["ClientToken"] = "twice"
	simtest.Bad(t, sim, "AssociateRouteTable", with, "ResourceAlreadyAssociated.RouteTable")
}

func TestAssociationsAreRefused(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) {
		s.VPCs[0].Tables = append(s.VPCs[0].Tables, alisim.Table{ID: "vtb-g", Gateway: true}, alisim.Table{ID: "vtb-3"})
	})
	for _, tt := range []struct{ table, vswitch, code string }{
		{"vtb-9", "vsw-1", "InvalidRouteTableId.NotFound"},
		{"vtb-2", "", "MissingParameter"},
		{"vtb-2", "vsw-9", "ResourceNotFound.VSwitch"},
		{"vtb-g", "vsw-1", "OperationDenied.AssociateGatewayRouteTable"},
	} {
		a := simtest.Ask(t, sim, "AssociateRouteTable", simtest.Args{"RouteTableId": tt.table, "VSwitchId": tt.vswitch})
		if a.Code() != tt.code || a.Status != http.StatusBadRequest {
			t.Errorf("%s with %s: %d %s, want %s", tt.vswitch, tt.table, a.Status, a.Code(), tt.code)
		}
	}
	for id, code := range map[string]string{"vtb-3": "IncorrectStatus.RouteTable", "vsw-1": "IncorrectVSwitchStatus"} {
		if err := sim.SetState(id, alisim.Pending); err != nil {
			t.Fatal(err)
		}
		if a := simtest.Ask(t, sim, "AssociateRouteTable", simtest.Args{"RouteTableId": "vtb-3", "VSwitchId": "vsw-1"}); a.Code() != code || a.Status != http.StatusNotFound {
			t.Errorf("%s pending: %d %s", id, a.Status, a.Code())
		}
		if err := sim.SetState(id, alisim.Available); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range [][2]string{{"vsw-9", "vtb-2"}, {"vsw-1", "vtb-g"}} {
		if sim.Associate(id[0], id[1]) == nil {
			t.Errorf("%v were associated", id)
		}
	}
}
