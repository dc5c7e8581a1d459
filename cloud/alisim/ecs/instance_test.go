package ecs_test

import (
	"net/http"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestInstancesAreDeleted(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	for _, tt := range []struct {
		with simtest.Args
		code string
	}{
		{nil, "MissingParameter"},
		{simtest.Args{"InstanceId": "i-9"}, "InvalidInstanceId.NotFound"},
		{simtest.Args{"InstanceId": "i-1", "Force": "true"}, "DependencyViolation.RouteEntry"},
		{simtest.Args{"InstanceId": "i-2"}, "IncorrectInstanceStatus"}, // it runs
		{simtest.Args{"InstanceId.1": "i-2", "InstanceId.2": "i-1", "Force": "true"}, "DependencyViolation.RouteEntry"},
		{simtest.Args{"InstanceId": "i-2", "Force": "true"}, ""},
	} {
		if a := simtest.AskECS(t, sim, "DeleteInstances", tt.with); a.Code() != tt.code {
			t.Errorf("%v: %v, want %s", tt.with, a.Body, tt.code)
		}
	}
	if got := len(sim.Snapshot().Instances); got != 2 {
		t.Errorf("%d instances are left", got)
	}
}

func TestNullIsNoList(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for action, name := range map[string]string{"DescribeInstances": "InstanceIds", "DescribeSecurityGroups": "SecurityGroupIds"} {
		if got := simtest.AskECS(t, sim, action, simtest.Args{name: "null"}); got.Code() != "InvalidParameter" {
			t.Errorf("%s %s=null: %v", action, name, got.Body)
		}
		if got := simtest.AskECS(t, sim, action, simtest.Args{name: "[]"}); got.Status != http.StatusOK {
			t.Errorf("%s %s=[]: %v", action, name, got.Body)
		}
	}
}

func TestInstancesAreFoundAndPaged(t *testing.T) {
	sim := simtest.NewFull(t, alisim.Options{}, 0, 25)
	for _, tt := range []struct {
		with simtest.Args
		want int
	}{
		{simtest.Args{"InstanceIds": `["i-1","i-2","i-none"]`}, 2},
		{simtest.Args{"InstanceIds": `[]`}, 0},
		{simtest.Args{"PrivateIpAddresses": `["192.168.16.13"]`}, 1},
		{simtest.Args{"VSwitchId": "vsw-2"}, 1},
		{simtest.Args{"SecurityGroupId": "sg-1"}, 3},
		{simtest.Args{"Status": "Stopped"}, 0},
		{simtest.Args{"VpcId": "vpc-9"}, 0},
		{simtest.Args{"MaxResults": "1"}, 10}, // pulled up
		{simtest.Args{"MaxResults": "1000"}, 25},
		{simtest.Args{}, 10},
	} {
		if got := simtest.Count(simtest.AskECS(t, sim, "DescribeInstances", tt.with), "Instances", "Instance"); got != tt.want {
			t.Errorf("%v: %d instances, want %d", tt.with, got, tt.want)
		}
	}
	token := simtest.AskECS(t, sim, "DescribeInstances", simtest.Args{"MaxResults": "20"}).At("NextToken").(string)
	if got := simtest.Count(simtest.AskECS(t, sim, "DescribeInstances", simtest.Args{"MaxResults": "20", "NextToken": token}), "Instances", "Instance"); got != 5 {
		t.Errorf("second page has %d instances", got)
	}
	if a := simtest.AskECS(t, sim, "DescribeInstances", simtest.Args{"InstanceIds": "i-1"}); a.Code() != "InvalidParameter" {
		t.Errorf("ids that are no JSON: %v", a.Body)
	}
}
