package alisim_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

func TestVSwitchMustNotHoldADestination(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	good(t, sim, "CreateRouteEntry", entry("192.168.64.0/24"))
	add := func(id, cidr string) error {
		return sim.AddVSwitch("vpc-1", alisim.VSwitch{ID: id, CIDR: netip.MustParsePrefix(cidr)})
	}
	for cidr, want := range map[string]error{
		"192.168.64.0/24": api.ErrRefused, "192.168.64.0/20": api.ErrRefused, "192.168.0.0/24": api.ErrRefused, "10.0.0.0/24": api.ErrInvalid,
	} {
		if err := add("vsw-x", cidr); !errors.Is(err, want) {
			t.Errorf("%s: %v", cidr, err)
		}
	}
	if err := add("vsw-3", "192.168.80.0/20"); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"vtb-1", "vtb-2"} {
		if text := fmt.Sprint(sim.Routes(table)); !strings.Contains(text, "192.168.80.0/20") {
			t.Errorf("%s lacks the system entry: %s", table, text)
		}
	}
	bad(t, sim, "CreateRouteEntry", entry("192.168.80.0/24"), "InvalidCidrBlock")
	if err := sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-3", IP: netip.MustParseAddr("192.168.80.9")}); err != nil {
		t.Error(err)
	}
}

func TestTablesAreLimited(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	for n := range 8 { // the example has one custom table
		if err := sim.AddTable("vpc-1", alisim.Table{ID: fmt.Sprintf("vtb-x%d", n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.AddTable("vpc-1", alisim.Table{ID: "vtb-y"}); !errors.Is(err, api.ErrRefused) {
		t.Errorf("the tenth: %v", err)
	}
	if got := len(sim.Routes("vtb-x1")); got != 3 {
		t.Errorf("a new table has %d entries, want the three system ones", got)
	}
}

func TestVSwitchGoesBackToTheSystemTable(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	bad(t, sim, "AssociateRouteTable", args{"RouteTableId": "vtb-1", "VSwitchId": "vsw-2"}, "OperationDenied.SwitchToSystemRouteTable")
	bad(t, sim, "UnassociateRouteTable", args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"}, "ResourceNotAssociated.RouteTable")
	bad(t, sim, "UnassociateRouteTable", args{"RouteTableId": "vtb-1", "VSwitchId": "vsw-1"}, "OperationDenied.SystemRouteTable")
	good(t, sim, "UnassociateRouteTable", args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-2"})
	if got := sim.Snapshot().VPCs[0].VSwitches[1].Table; got != "vtb-1" {
		t.Errorf("vsw-2 uses %s", got)
	}
}

func TestAssociationRemembersItsToken(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	with := args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1", "ClientToken": "once"}
	good(t, sim, "AssociateRouteTable", with)
	good(t, sim, "AssociateRouteTable", with)
	with["ClientToken"] = "twice"
	bad(t, sim, "AssociateRouteTable", with, "ResourceAlreadyAssociated.RouteTable")
}

func TestInstancesAreDeleted(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	good(t, sim, "CreateRouteEntry", entry("172.20.1.0/24"))
	for _, tt := range []struct {
		with args
		code string
	}{
		{nil, "MissingParameter"},
		{args{"InstanceId": "i-9"}, "InvalidInstanceId.NotFound"},
		{args{"InstanceId": "i-1", "Force": "true"}, "DependencyViolation.RouteEntry"},
		{args{"InstanceId": "i-2"}, "IncorrectInstanceStatus"}, // it runs
		{args{"InstanceId.1": "i-2", "InstanceId.2": "i-1", "Force": "true"}, "DependencyViolation.RouteEntry"},
		{args{"InstanceId": "i-2", "Force": "true"}, ""},
	} {
		if a := askECS(t, sim, "DeleteInstances", tt.with); a.code() != tt.code {
			t.Errorf("%v: %v, want %s", tt.with, a.body, tt.code)
		}
	}
	if got := len(sim.Snapshot().Instances); got != 2 {
		t.Errorf("%d instances are left", got)
	}
}

func TestMetadataOptions(t *testing.T) {
	sim := newSim(t, alisim.Options{LocalInstance: "i-2"})
	set := func(name, value string) {
		t.Helper()
		if a := askECS(t, sim, "ModifyInstanceMetadataOptions", args{"InstanceId": "i-2", name: value}); a.code() != "" {
			t.Fatal(a.body)
		}
	}
	ask := func() int {
		code, _ := from(sim, "127.0.0.1", "GET", metaData+"instance-id")
		return code
	}
	if got := ask(); got != 200 {
		t.Errorf("from loopback: %d", got)
	}
	set("HttpTokens", "required")
	if got := ask(); got != 403 {
		t.Errorf("without a token: %d", got)
	}
	set("HttpTokens", "optional")
	set("HttpEndpoint", "disabled")
	if got := ask(); got != 403 {
		t.Errorf("disabled: %d", got)
	}
}

func TestLocationNamesThisEndpoint(t *testing.T) {
	a := good(t, newSim(t, alisim.Options{}), "DescribeEndpoints", args{"Version": "2015-06-12", "ServiceCode": "vpc", "Id": "cn-hangzhou"})
	if got := a.at("Endpoints", "Endpoint", 0, "Endpoint"); got != "example.com" { // the request's host
		t.Errorf("endpoint %v", got)
	}
}

func TestSignatureOfTheDocument(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	const path = "/latest/dynamic/instance-identity/pkcs7"
	_, plain := from(sim, "192.168.0.11", "GET", path)
	_, bound := from(sim, "192.168.0.11", "GET", path+"?audience=nonce-1")
	if plain == "" || plain == bound || strings.Contains(plain, "-----") {
		t.Errorf("signatures %q and %q", plain, bound)
	}
	if code, _ := from(sim, "192.0.2.1", "GET", path); code != 404 {
		t.Errorf("a stranger gets %d", code)
	}
}
