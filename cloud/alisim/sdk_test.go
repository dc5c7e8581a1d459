package alisim_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/cloud/alisim"
)

// clients are the vendor's own, pointed at a simulator with the example seed.
type clients struct {
	sim *alisim.Sim
	vpc *vpc.Client
	ecs *ecs.Client
}

// serve starts a simulator on loopback. The SDK obeys proxies even there, so they go.
func serve(t *testing.T, opts alisim.Options) clients {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, "")
	}
	sim, err := alisim.New(alisim.Example(), opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.API())
	t.Cleanup(server.Close)
	config := sdk.NewConfig().WithScheme("HTTP")
	key := credentials.NewAccessKeyCredential("testid", "testsecret")
	v, err := vpc.NewClientWithOptions("cn-hangzhou", config, key)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecs.NewClientWithOptions("cn-hangzhou", config, key)
	if err != nil {
		t.Fatal(err)
	}
	v.Domain = strings.TrimPrefix(server.URL, "http://")
	e.Domain = v.Domain
	return clients{sim, v, e}
}

func TestSDKReadsAndWritesRoutes(t *testing.T) {
	c := serve(t, alisim.Options{})
	create := vpc.CreateCreateRouteEntryRequest()
	create.RouteTableId, create.DestinationCidrBlock, create.NextHopId = "vtb-1", "172.20.5.0/24", "i-1"
	create.RouteEntryName, create.Description = "sealane/demo/i-1", "a*b~c;x=1+2"
	made, err := c.vpc.CreateRouteEntry(create)
	if err != nil {
		t.Fatal(err)
	}
	list := vpc.CreateDescribeRouteEntryListRequest()
	list.RouteTableId, list.RouteEntryType = "vtb-1", "Custom"
	list.MaxResult = requests.NewInteger(100)
	got, err := c.vpc.DescribeRouteEntryList(list)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.RouteEntrys.RouteEntry); n != 1 {
		t.Fatalf("%d entries, want 1", n)
	}
	e := got.RouteEntrys.RouteEntry[0]
	if e.RouteEntryId != made.RouteEntryId || e.Status != "Available" || e.Description != create.Description || e.NextHops.NextHop[0].NextHopId != "i-1" {
		t.Errorf("entry is %+v", e)
	}
}
