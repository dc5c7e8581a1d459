package alisim_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

func TestModifyChecksWhateverChanges(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	good(t, sim, "CreateRouteEntry", entry("172.20.1.0/24"))
	of := func(with args) args {
		with["RouteTableId"], with["DestinationCidrBlock"] = "vtb-1", "172.20.1.0/24"
		return with
	}
	bad(t, sim, "ModifyRouteEntry", of(args{}), "MissingParameter")
	bad(t, sim, "ModifyRouteEntry", of(args{"NewNextHopType": "Teapot"}), "IllegalParam.NextHopType")
	bad(t, sim, "ModifyRouteEntry", of(args{"NewNextHopType": "NetworkInterface"}), "InvalidNextHop.NotFound")
	bad(t, sim, "ModifyRouteEntry", of(args{"NewNextHopId": "i-1"}), "OperationDenied.NextHopNotChanged")
	good(t, sim, "ModifyRouteEntry", of(args{"NewNextHopType": "NetworkInterface", "NewNextHopId": "eni-1"}))
	good(t, sim, "ModifyRouteEntry", of(args{"Description": ""}))
}

func TestSystemEntryInACustomTable(t *testing.T) {
	sim := newSim(t, alisim.Options{})
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
	point := args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String(), "NewNextHopId": "i-3"}
	for table, destination := range map[string]string{"vtb-1": local.String(), "vtb-2": "100.64.0.0/10"} {
		bad(t, sim, "ModifyRouteEntry", args{"RouteTableId": table, "DestinationCidrBlock": destination, "NewNextHopId": "i-3"}, "OperationDenied")
	}
	bad(t, sim, "ModifyRouteEntry", args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String(), "Description": "x"}, "OperationDenied")
	good(t, sim, "ModifyRouteEntry", point)
	if got := find(local); got.System || got.NextHop != "i-3" || got.NextHopType != alisim.HopInstance {
		t.Errorf("pointed at an instance: %+v", got)
	}
	if again, err := alisim.New(unnumbered(sim.Snapshot()), alisim.Options{}); err != nil {
		t.Errorf("the snapshot is no seed: %v", err)
	} else if good(t, again, "DeleteRouteEntry", args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String()}); again.Routes("vtb-2")[1] != before {
		t.Errorf("of the snapshot it became %+v", again.Routes("vtb-2"))
	}
	// It still is a vSwitch, into which no entry may reach.
	bad(t, sim, "CreateRouteEntry", args{"RouteTableId": "vtb-2", "DestinationCidrBlock": "192.168.1.0/24", "NextHopId": "i-1"}, "InvalidCidrBlock")
	good(t, sim, "DeleteRouteEntry", args{"RouteTableId": "vtb-2", "DestinationCidrBlock": local.String()})
	if got := find(local); got != before {
		t.Errorf("deleted: %+v, want %+v", got, before)
	}
	if err := sim.SetQuota("vtb-2", 0); err != nil {
		t.Fatal(err)
	}
	bad(t, sim, "ModifyRouteEntry", point, "QuotaExceeded")
}

func TestStatusOfCodesByAction(t *testing.T) {
	sim := newSim(t, alisim.Options{})
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
		if got := ask(t, sim, test.action, nil); got.status != test.want {
			t.Errorf("%s of %s is %d, want %d", test.code, test.action, got.status, test.want)
		}
	}
	sim.Fault(alisim.Fault{Code: "InvalidParameter", Status: http.StatusBadRequest})
	if got := ask(t, sim, "CreateRouteEntry", nil); got.status != http.StatusBadRequest {
		t.Errorf("the fault's own status became %d", got.status)
	}
	if got := askECS(t, sim, "DescribeInstances", args{"InstanceIds": "<&>"}); got.status != http.StatusBadRequest {
		t.Errorf("InvalidParameter of ECS is %d", got.status)
	}
}

func TestAnswersDoNotEscapeHTML(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	with := entry("172.20.1.0/24")
	with["Description"] = "a<b>&c"
	good(t, sim, "CreateRouteEntry", with)
	if got := raw(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1"}); !strings.Contains(got, "a<b>&c") {
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
