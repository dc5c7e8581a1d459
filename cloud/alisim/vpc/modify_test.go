package vpc_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestModifyChecksWhateverChanges(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	of := func(with simtest.Args) simtest.Args {
		with["RouteTableId"], with["DestinationCidrBlock"] = "vtb-1", "172.20.1.0/24"
		return with
	}
	simtest.Bad(t, sim, "ModifyRouteEntry", of(simtest.Args{}), "MissingParameter")
	simtest.Bad(t, sim, "ModifyRouteEntry", of(simtest.Args{"NewNextHopType": "Teapot"}), "IllegalParam.NextHopType")
	simtest.Bad(t, sim, "ModifyRouteEntry", of(simtest.Args{"NewNextHopType": "NetworkInterface"}), "InvalidNextHop.NotFound")
	simtest.Bad(t, sim, "ModifyRouteEntry", of(simtest.Args{"NewNextHopId": "i-1"}), "OperationDenied.NextHopNotChanged")
	simtest.Good(t, sim, "ModifyRouteEntry", of(simtest.Args{"NewNextHopType": "NetworkInterface", "NewNextHopId": "eni-1"}))
	simtest.Good(t, sim, "ModifyRouteEntry", of(simtest.Args{"Description": ""}))
}

func TestSystemEntryInACustomTable(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	local := netip.MustParsePrefix("192.168.0.0/20")
	find := func(destination netip.Prefix) alisim.Route {
		for _, r := range sim.Routes("vtb-2") {
			if r.Destination == destination {
				return r
			}
		}
		t.Fatalf("no entry for %s", destination)
		return alisim.Route{}
	}
	before := find(local)
	point := simtest.Args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String(), "NewNextHopId": "i-3"}
	for table, destination := range map[string]string{"vtb-1": local.String(), "vtb-2": "100.64.0.0/10"} {
		simtest.Bad(t, sim, "ModifyRouteEntry", simtest.Args{"RouteTableId": table, "DestinationCidrBlock": destination, "NewNextHopId": "i-3"}, "OperationDenied")
	}
	simtest.Bad(t, sim, "ModifyRouteEntry", simtest.Args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String(), "Description": "x"}, "OperationDenied")
	simtest.Good(t, sim, "ModifyRouteEntry", point)
	if got := find(local); got.System || got.NextHop != "i-3" || got.NextHopType != alisim.HopInstance {
		t.Errorf("pointed at an instance: %+v", got)
	}
	if again, err := alisim.New(unnumbered(sim.Snapshot()), alisim.Options{}); err != nil {
		t.Errorf("the snapshot is no seed: %v", err)
	} else if simtest.Good(t, again, "DeleteRouteEntry", simtest.Args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String()}); again.Routes("vtb-2")[1] != before {
		t.Errorf("of the snapshot it became %+v", again.Routes("vtb-2"))
	}
	// It still is a vSwitch, into which no entry may reach.
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.Args{"RouteTableId": "vtb-2", "DestinationCidrBlock": "192.168.1.0/24", "NextHopId": "i-1"}, "InvalidCidrBlock")
	simtest.Good(t, sim, "DeleteRouteEntry", simtest.Args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String()})
	if got := find(local); got != before {
		t.Errorf("deleted: %+v, want %+v", got, before)
	}
	if err := sim.SetQuota("vtb-2", 0); err != nil {
		t.Fatal(err)
	}
	simtest.Bad(t, sim, "ModifyRouteEntry", point, "QuotaExceeded")
}

func TestStatusOfCodesByAction(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for _, test := range []struct {
		action, code string
		want         int
	}{
		{"AssociateRouteTable", "Forbidden.VSwitchAlreadyAssociatedRouteTable", http.StatusNotFound},
		{"AssociateRouteTable", "IncorrectVSwitchStatus", http.StatusNotFound},
		{"CreateRouteEntry", "IncorrectVSwitchStatus", http.StatusBadRequest},
		{"CreateRouteEntry", "InvalidParameter", http.StatusNotFound},
	} {
		sim.Fault(alisim.Fault{Action: test.action, Code: test.code})
		if got := simtest.Ask(t, sim, test.action, nil); got.Status != test.want {
			t.Errorf("%s of %s is %d, want %d", test.code, test.action, got.Status, test.want)
		}
	}
	sim.Fault(alisim.Fault{Code: "InvalidParameter", Status: http.StatusBadRequest})
	if got := simtest.Ask(t, sim, "CreateRouteEntry", nil); got.Status != http.StatusBadRequest {
		t.Errorf("the fault's own status became %d", got.Status)
	}
	if got := simtest.AskECS(t, sim, "DescribeInstances", simtest.Args{"InstanceIds": "<&>"}); got.Status != http.StatusBadRequest {
		t.Errorf("InvalidParameter of ECS is %d", got.Status)
	}
}

func TestAnswersDoNotEscapeHTML(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	with := simtest.EntryArgs("172.20.1.0/24")
	with["Description"] = "a<b>&c"
	simtest.Good(t, sim, "CreateRouteEntry", with)
	if got := simtest.AskRaw(t, sim, "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1"}); !strings.Contains(got, "a<b>&c") {
		t.Errorf("answer is %s", got)
	}
}

// unnumbered is a snapshot without what only answers have.
func unnumbered(s alisim.Seed) alisim.Seed {
	for _, v := range s.VPCs {
		for _, t := range v.Tables {
			for n := range t.Routes {
				t.Routes[n].ID = ""
			}
		}
	}
	return s
}
