package ecs_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestInterfacesAreListed(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, simtest.DualStack)
	for _, tt := range []struct {
		with simtest.Args
		want string
	}{
		{nil, "eni-1 eni-b eni-1-2 eni-2 eni-3"},
		{simtest.Args{"Type": "Secondary"}, "eni-b eni-1-2"},
		{simtest.Args{"InstanceId": "i-1", "Type": "Primary"}, "eni-1"},
		{simtest.Args{"NetworkInterfaceId.1": "eni-b", "NetworkInterfaceId.2": "eni-3"}, "eni-b eni-3"},
		{simtest.Args{"PrivateIpAddress.1": "192.168.0.22"}, "eni-b"},
		{simtest.Args{"VSwitchId": "vsw-2"}, "eni-1-2 eni-3"},
		{simtest.Args{"SecurityGroupId": "sg-1"}, "eni-b eni-1-2"}, // finds secondary ones only
		{simtest.Args{"PrimaryIpAddress": "192.168.0.22"}, ""},
	} {
		a := simtest.AskECS(t, sim, "DescribeNetworkInterfaces", tt.with)
		var got []string
		for n := range simtest.Count(a, "NetworkInterfaceSets", "NetworkInterfaceSet") {
			got = append(got, a.At("NetworkInterfaceSets", "NetworkInterfaceSet", n, "NetworkInterfaceId").(string))
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%v: %s", tt.with, diff)
		}
	}
	a := simtest.AskECS(t, sim, "DescribeInstances", simtest.Args{"InstanceIds": `["i-1"]`})
	brief := func(path ...any) any {
		return a.At(append([]any{"Instances", "Instance", 0, "NetworkInterfaces", "NetworkInterface"}, path...)...)
	}
	got := []any{brief(1, "Type"), brief(1, "PrimaryIpAddress"), brief(1, "Ipv6Sets", "Ipv6Set", 0, "Ipv6Address"), brief(2, "MacAddress")}
	if diff := cmp.Diff([]any{"Secondary", "192.168.0.21", "2001:db8::21", "02:16:c0:a8:10:1f"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckOfASecondaryInterface(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, simtest.DualStack)
	check := func(id string) bool {
		_, f, _ := sim.Snapshot().Hop(id)
		return f.SourceDestCheck
	}
	if check("eni-1") || !check("eni-b") {
		t.Fatal("the seed's checks are lost")
	}
	if a := simtest.AskECS(t, sim, "ModifyNetworkInterfaceAttribute", simtest.Args{"NetworkInterfaceId": "eni-b", "SourceDestCheck": "False"}); a.Code() != "" {
		t.Fatal(a.Body)
	}
	if err := sim.SetSourceDestCheck("eni-1", true); err != nil {
		t.Fatal(err)
	}
	if !check("eni-1") || check("eni-b") {
		t.Error("the checks did not change places")
	}
	for id, code := range map[string]string{"eni-9": "InvalidEniId.NotFound", "": "MissingParameter"} {
		if a := simtest.AskECS(t, sim, "ModifyNetworkInterfaceAttribute", simtest.Args{"NetworkInterfaceId": id}); a.Code() != code {
			t.Errorf("%q: %v", id, a.Body)
		}
	}
}

func TestSnapshotKeepsInterfaces(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, simtest.DualStack)
	seed := sim.Snapshot()
	again, err := alisim.New(seed, alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(seed, again.Snapshot(), ignore, same); diff != "" {
		t.Error(diff)
	}
	seed.Instances[0].Interfaces[0].SecurityGroups[0] = "changed"
	if _, f, _ := sim.Snapshot().Hop("eni-b"); f.SecurityGroups[0] != "sg-1" {
		t.Error("the caller's copy reaches into the simulator")
	}
}
