package alisim_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

func TestLogOfLargeRequestsIsBounded(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	form := url.Values{}
	for n := range 1 << 13 {
		form.Set(fmt.Sprintf("p%d", n), "")
	}
	body := form.Encode()
	for range 150 {
		r := httptest.NewRequest(http.MethodPost, "/?Action=DescribeVpcs&Version=2016-04-28", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		do(t, sim, r)
	}
	all := sim.Requests()
	if len(all) < 64 || len(all) > 130 || all[len(all)-1].Seq != 150 {
		t.Errorf("%d requests are held, up to number %d", len(all), all[len(all)-1].Seq)
	}
	if sim.Reset(); len(sim.Requests()) != 0 {
		t.Error("not emptied")
	}
}

func TestListsOfNextHops(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	list := func(n int, with args) args {
		out := args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24"}
		for i := range n {
			out[fmt.Sprintf("NextHopList.%d.NextHopId", i+1)] = "ri-1"
		}
		maps.Copy(out, with)
		return out
	}
	for code, with := range map[string]args{
		"InvalidNexthopTypeAndList.BothNull":    list(0, nil),
		"InvalidNexthopTypeAndList.BothNotNull": list(2, args{"NextHopId": "i-1"}),
		"InvalidNextHopList.Size":               list(1, nil),
		"InvalidNextHop.NotFound":               list(2, nil),
		"IllegalParam.NextHopType":              list(0, args{"NextHopId": "x-1", "NextHopType": "Tunnel"}),
		"MissingParameter":                      list(0, args{"NextHopType": "Instance"}),
	} {
		bad(t, sim, "CreateRouteEntry", with, code)
	}
}

func TestAssociationsAreRefused(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) {
		s.VPCs[0].Tables = append(s.VPCs[0].Tables, alisim.Table{ID: "vtb-g", Gateway: true}, alisim.Table{ID: "vtb-3"})
	})
	for _, tt := range []struct{ table, vswitch, code string }{
		{"vtb-9", "vsw-1", "InvalidRouteTableId.NotFound"},
		{"vtb-2", "", "MissingParameter"},
		{"vtb-2", "vsw-9", "ResourceNotFound.VSwitch"},
		{"vtb-g", "vsw-1", "OperationDenied.AssociateGatewayRouteTable"},
	} {
		a := ask(t, sim, "AssociateRouteTable", args{"RouteTableId": tt.table, "VSwitchId": tt.vswitch})
		if a.code() != tt.code || a.status != http.StatusBadRequest {
			t.Errorf("%s with %s: %d %s, want %s", tt.vswitch, tt.table, a.status, a.code(), tt.code)
		}
	}
	for id, code := range map[string]string{"vtb-3": "IncorrectStatus.RouteTable", "vsw-1": "IncorrectVSwitchStatus"} {
		if err := sim.SetState(id, alisim.Pending); err != nil {
			t.Fatal(err)
		}
		if a := ask(t, sim, "AssociateRouteTable", args{"RouteTableId": "vtb-3", "VSwitchId": "vsw-1"}); a.code() != code || a.status != http.StatusNotFound {
			t.Errorf("%s pending: %d %s", id, a.status, a.code())
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

func TestPolicyByTheAdminEndpoint(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) { s.Keys = alisim.Example().Keys })
	put := func(body string, want int) {
		t.Helper()
		if status, got := control(t, sim, "PUT", "/v1/policies/testid", body); status != want {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	put(onlyFirstTable, 204)
	if a := as(t, sim, "testid", "testsecret", args{"Action": "DescribeVpcs"}); a.code() != "Forbidden.RAM" {
		t.Errorf("with the policy: %v", a.body)
	}
	put(`{"Version":"7"}`, 400)
	put("null", 204)
	if a := as(t, sim, "testid", "testsecret", args{"Action": "DescribeVRouters"}); a.code() != "" {
		t.Errorf("without it: %v", a.body)
	}
	if text := fmt.Sprintf("%v %+v %#v", alisim.Example().Keys, alisim.Example().Keys[0], alisim.Example().Keys[0]); strings.Contains(text, "testsecret") {
		t.Error("a key prints its secret")
	}
}

func TestMistakesOfGroups(t *testing.T) {
	six := netip.MustParsePrefix("fd00::/64")
	seed := alisim.Example()
	seed.VPCs[0].IPv6 = netip.MustParsePrefix("10.0.0.0/8")
	seed.VPCs[0].VSwitches[0].IPv6 = six
	seed.VPCs[0].SecurityGroups = []alisim.SecurityGroup{
		{ID: "sg-1", Type: "odd", InnerAccess: "maybe", Ingress: []alisim.Rule{
			{}, {Destination: six}, {Source: six, Group: "sg-1"}, {Group: "sg-9"}, {Source: six, Protocol: "tcp", Ports: "0/1"},
		}},
		{ID: "sg-e", Type: alisim.EnterpriseGroup, Egress: []alisim.Rule{{Group: "sg-1"}}},
	}
	seed.Instances[0].SecurityGroups = []string{"sg-1", "sg-e"}
	_, err := alisim.New(seed, alisim.Options{})
	const groups = "vpcs[0].securityGroups"
	for _, want := range []string{
		"vpcs[0].ipv6Cidr", "vpcs[0].vswitches[0].ipv6Cidr", groups + "[0].type", groups + "[0].innerAccess", groups + "[0].ingress[0].source",
		groups + "[0].ingress[1]", groups + "[0].ingress[2]", groups + "[0].ingress[3].group", groups + "[0].ingress[4]", groups + "[1].egress[0].group",
		"instances[0].securityGroups[1]",
	} {
		if !strings.Contains(fmt.Sprint(err), want+": ") {
			t.Errorf("nothing about %s in %v", want, err)
		}
	}
}
