package alisim_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
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
func serve(t *testing.T, secret string) clients {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, "")
	}
	sim, err := alisim.New(alisim.Example(), alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.API())
	t.Cleanup(server.Close)
	config := sdk.NewConfig().WithScheme("HTTP")
	key := credentials.NewAccessKeyCredential("testid", secret)
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

func TestSDKSingleCalls(t *testing.T) {
	c := serve(t, "testsecret")
	create := vpc.CreateCreateRouteEntryRequest()
	create.RouteTableId, create.DestinationCidrBlock, create.NextHopId = "vtb-1", "172.20.5.0/24", "i-1"
	create.RouteEntryName, create.Description = "sealane/demo/i-1", "a*b~c;x=1+2"
	made, err := c.vpc.CreateRouteEntry(create)
	if err != nil {
		t.Fatal(err)
	}
	change := vpc.CreateModifyRouteEntryRequest()
	change.RouteEntryId, change.NewNextHopId, change.NewNextHopType = made.RouteEntryId, "i-2", "Instance"
	if _, err := c.vpc.ModifyRouteEntry(change); err != nil {
		t.Fatal(err)
	}
	e := c.custom(t)[0]
	if e.RouteEntryId != made.RouteEntryId || e.Status != "Available" || e.Description != create.Description || e.NextHops.NextHop[0].NextHopId != "i-2" {
		t.Errorf("entry is %+v", e)
	}
	remove := vpc.CreateDeleteRouteEntryRequest()
	remove.RouteEntryId = made.RouteEntryId
	if _, err := c.vpc.DeleteRouteEntry(remove); err != nil {
		t.Fatal(err)
	}
	if left := c.custom(t); len(left) != 0 {
		t.Errorf("left over: %+v", left)
	}
	_, err = c.vpc.DeleteRouteEntry(remove)
	var failed *sdkerrors.ServerError
	if !errors.As(err, &failed) || failed.ErrorCode() != "InvalidRouteEntry.NotFound" || failed.HttpStatus() != 400 {
		t.Errorf("second delete: %v", err)
	}
}

func (c clients) custom(t *testing.T) []vpc.RouteEntry {
	t.Helper()
	list := vpc.CreateDescribeRouteEntryListRequest()
	list.RouteTableId, list.RouteEntryType, list.MaxResult = "vtb-1", "Custom", requests.NewInteger(100)
	got, err := c.vpc.DescribeRouteEntryList(list)
	if err != nil {
		t.Fatal(err)
	}
	return got.RouteEntrys.RouteEntry
}

func TestSDKBatchCalls(t *testing.T) {
	c := serve(t, "testsecret")
	create := vpc.CreateCreateRouteEntriesRequest()
	create.RouteEntries = &[]vpc.CreateRouteEntriesRouteEntries{
		{RouteTableId: "vtb-1", DstCidrBlock: "172.20.5.0/24", NextHop: "i-1", NextHopType: "Instance", Name: "n", Description: "d"},
		{RouteTableId: "vtb-1", DstCidrBlock: "192.168.0.0/20", NextHop: "i-2", NextHopType: "Instance"},
	}
	made, err := c.vpc.CreateRouteEntries(create)
	if err != nil {
		t.Fatal(err)
	}
	if made.SuccessCount != 1 || made.FailedCount != 1 || made.FailedRouteEntries[0].FailedCode != "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE" {
		t.Errorf("batch create: %+v", made)
	}
	// Items in the form body keep the request line short.
	remove := vpc.CreateDeleteRouteEntriesRequest()
	for name, value := range map[string]string{"RouteTableId": "vtb-1", "DstCidrBlock": "172.20.5.0/24", "NextHop": "i-1"} {
		remove.GetFormParams()["RouteEntries.1."+name] = value
	}
	gone, err := c.vpc.DeleteRouteEntries(remove)
	if err != nil {
		t.Fatal(err)
	}
	if gone.SuccessCount != 1 || len(c.custom(t)) != 0 {
		t.Errorf("batch delete: %+v", gone)
	}
}

func TestSDKReads(t *testing.T) {
	c := serve(t, "testsecret")
	tables := vpc.CreateDescribeRouteTableListRequest()
	tables.VpcId = "vpc-1"
	if got, err := c.vpc.DescribeRouteTableList(tables); err != nil || len(got.RouterTableList.RouterTableListType) != 2 {
		t.Errorf("tables: %v, %v", got, err)
	}
	vswitches := vpc.CreateDescribeVSwitchesRequest()
	vswitches.VpcId = "vpc-1"
	if got, err := c.vpc.DescribeVSwitches(vswitches); err != nil || got.VSwitches.VSwitch[1].RouteTable.RouteTableId != "vtb-2" {
		t.Errorf("vSwitches: %v, %v", got, err)
	}
	attribute := vpc.CreateDescribeVpcAttributeRequest()
	attribute.VpcId = "vpc-1"
	if got, err := c.vpc.DescribeVpcAttribute(attribute); err != nil || got.CidrBlock != "192.168.0.0/16" {
		t.Errorf("VPC: %v, %v", got, err)
	}
	instances := ecs.CreateDescribeInstancesRequest()
	instances.InstanceIds = `["i-1","i-9"]`
	if got, err := c.ecs.DescribeInstances(instances); err != nil || len(got.Instances.Instance) != 1 ||
		got.Instances.Instance[0].VpcAttributes.PrivateIpAddress.IpAddress[0] != "192.168.0.11" {
		t.Errorf("instances: %v, %v", got, err)
	}
	interfaces := ecs.CreateDescribeNetworkInterfacesRequest()
	interfaces.InstanceId = "i-1"
	if got, err := c.ecs.DescribeNetworkInterfaces(interfaces); err != nil || got.NetworkInterfaceSets.NetworkInterfaceSet[0].SourceDestCheck {
		t.Errorf("interfaces: %v, %v", got, err)
	}
	group := ecs.CreateDescribeSecurityGroupAttributeRequest()
	group.SecurityGroupId = "sg-1"
	if got, err := c.ecs.DescribeSecurityGroupAttribute(group); err != nil || got.Permissions.Permission[1].SourceCidrIp != "10.0.0.0/8" {
		t.Errorf("security group: %v, %v", got, err)
	}
}

func TestSDKKnowsAWrongSecret(t *testing.T) {
	c := serve(t, "other")
	_, err := c.vpc.DescribeVpcs(vpc.CreateDescribeVpcsRequest())
	var failed *sdkerrors.ServerError
	if !errors.As(err, &failed) || failed.ErrorCode() != "SignatureDoesNotMatch" {
		t.Fatalf("error is %v", err)
	}
	// The SDK says so only when both sides signed the same text.
	if !strings.Contains(failed.Recommend(), "InvalidAccessKeySecret") {
		t.Errorf("advice is %q", failed.Recommend())
	}
}
