package call_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

// tagging gives the first of everything in the example the tag role=x.
func tagging(s *alisim.Seed) {
	tags := map[string]string{"role": "x", "also": "this"}
	v := &s.VPCs[0]
	v.Tags, v.Tables[0].Tags, v.VSwitches[0].Tags, v.SecurityGroups[0].Tags = tags, tags, tags, tags
	v.VSwitches[0].Name = "front"
	s.Instances[0].Tags = tags
	s.Instances[0].Interfaces = []alisim.Interface{{ID: "eni-more", IP: s.Instances[0].IP.Next().Next().Next(), Tags: tags}}
}

// lists are the actions that list, with the path to their list and how many the example has.
func lists() map[string]struct {
	version string
	path    []any
	all     int
} {
	const vpc, ecs = "2016-04-28", "2014-05-26"
	return map[string]struct {
		version string
		path    []any
		all     int
	}{
		"DescribeVpcs":              {vpc, []any{"Vpcs", "Vpc"}, 1},
		"DescribeVSwitches":         {vpc, []any{"VSwitches", "VSwitch"}, 2},
		"DescribeRouteTableList":    {vpc, []any{"RouterTableList", "RouterTableListType"}, 2},
		"DescribeInstances":         {ecs, []any{"Instances", "Instance"}, 3},
		"DescribeNetworkInterfaces": {ecs, []any{"NetworkInterfaceSets", "NetworkInterfaceSet"}, 4},
		"DescribeSecurityGroups":    {ecs, []any{"SecurityGroups", "SecurityGroup"}, 1},
	}
}

func TestListsAreFilteredByTag(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, tagging)
	for action, l := range lists() {
		list := func(with simtest.Args) []any {
			all := simtest.Args{"Version": l.version, "RegionId": "cn-hangzhou"}
			maps.Copy(all, with)
			found, _ := simtest.Ask(t, sim, action, all).At(l.path...).([]any)
			return found
		}
		for _, test := range []struct {
			with simtest.Args
			want int
		}{
			{nil, l.all},
			{simtest.Args{"Tag.1.Key": "nope"}, 0},
			{simtest.Args{"Tag.1.Key": "role"}, 1},
			{simtest.Args{"Tag.1.Key": "role", "Tag.1.Value": "y"}, 0},
			{simtest.Args{"Tag.1.Key": "role", "Tag.1.Value": "x", "Tag.2.Key": "also"}, 1},
			{simtest.Args{"Tag.1.Key": "role", "Tag.2.Key": "nope"}, 0},
			{simtest.Args{"ResourceGroupId": "rg-1"}, 0},
		} {
			if got := list(test.with); len(got) != test.want {
				t.Errorf("%s %v: %d, want %d", action, test.with, len(got), test.want)
			}
		}
		want := []any{map[string]any{"TagKey": "also", "TagValue": "this"}, map[string]any{"TagKey": "role", "TagValue": "x"}}
		if l.version == "2016-04-28" {
			want = []any{map[string]any{"Key": "also", "Value": "this"}, map[string]any{"Key": "role", "Value": "x"}}
		}
		if diff := cmp.Diff(want, list(simtest.Args{"Tag.1.Key": "role"})[0].(map[string]any)["Tags"].(map[string]any)["Tag"]); diff != "" {
			t.Errorf("%s: %s", action, diff)
		}
	}
}

func TestNameFilters(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, tagging)
	for name, want := range map[string]int{"front": 1, "vsw-2": 1, "nope": 0} {
		got, _ := simtest.Good(t, sim, "DescribeVSwitches", simtest.Args{"VpcId": "vpc-1", "VSwitchName": name}).At("VSwitches", "VSwitch").([]any)
		if len(got) != want {
			t.Errorf("VSwitchName=%s: %d, want %d", name, len(got), want)
		}
	}
	for _, with := range []simtest.Args{{"KeyPairName": "k"}, {"InstanceType": "ecs.none"}, {"Filter.1.Key": "CreationStartTime"}, {"PublicIpAddresses": `["1.2.3.4"]`}} {
		if got, _ := simtest.AskECS(t, sim, "DescribeInstances", with).At("Instances", "Instance").([]any); len(got) != 0 {
			t.Errorf("%v: %d instances", with, len(got))
		}
	}
}

func TestSnapshotOwnsItsTags(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, tagging)
	before, _ := json.Marshal(sim.Snapshot())
	s := sim.Snapshot()
	for _, tags := range []map[string]string{s.VPCs[0].Tags, s.VPCs[0].Tables[0].Tags, s.VPCs[0].VSwitches[0].Tags, s.VPCs[0].SecurityGroups[0].Tags, s.Instances[0].Tags, s.Instances[0].Interfaces[0].Tags} {
		tags["role"] = "changed"
	}
	if after, _ := json.Marshal(sim.Snapshot()); string(after) != string(before) {
		t.Errorf("the world changed: %s", after)
	}
}
