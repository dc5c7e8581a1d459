package alisim_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
)

// dual is a seed with IPv6 and with secondary interfaces: i-1 has eni-b (one IPv6 address)
// and eni-c (two), i-2 has none of either, i-3 has an IPv6 address itself.
func dual(s *alisim.Seed) {
	addr := netip.MustParseAddr
	s.VPCs[0].IPv6 = netip.MustParsePrefix("2001:db8::/56")
	s.VPCs[0].VSwitches[0].IPv6 = netip.MustParsePrefix("2001:db8::/64")
	s.VPCs[0].VSwitches[1].IPv6 = netip.MustParsePrefix("2001:db8:0:1::/64")
	s.Instances[0].Interfaces = []alisim.Interface{
		{ID: "eni-b", IP: addr("192.168.0.21"), MoreIPs: []netip.Addr{addr("192.168.0.22")}, IPv6: []netip.Addr{addr("2001:db8::21")}, SourceDestCheck: true},
		{IP: addr("192.168.16.31"), VSwitch: "vsw-2", IPv6: []netip.Addr{addr("2001:db8:0:1::31"), addr("2001:db8:0:1::32")}},
	}
	s.Instances[2].IPv6 = []netip.Addr{addr("2001:db8:0:1::13")}
}

func TestInterfacesAreListed(t *testing.T) {
	sim := newSim(t, alisim.Options{}, dual)
	for _, tt := range []struct {
		with args
		want string
	}{
		{nil, "eni-1 eni-b eni-1-2 eni-2 eni-3"},
		{args{"Type": "Secondary"}, "eni-b eni-1-2"},
		{args{"InstanceId": "i-1", "Type": "Primary"}, "eni-1"},
		{args{"NetworkInterfaceId.1": "eni-b", "NetworkInterfaceId.2": "eni-3"}, "eni-b eni-3"},
		{args{"PrivateIpAddress.1": "192.168.0.22"}, "eni-b"},
		{args{"VSwitchId": "vsw-2"}, "eni-1-2 eni-3"},
		{args{"SecurityGroupId": "sg-1"}, "eni-b eni-1-2"}, // finds secondary ones only
		{args{"PrimaryIpAddress": "192.168.0.22"}, ""},
	} {
		a := askECS(t, sim, "DescribeNetworkInterfaces", tt.with)
		var got []string
		for n := range count(a, "NetworkInterfaceSets", "NetworkInterfaceSet") {
			got = append(got, a.at("NetworkInterfaceSets", "NetworkInterfaceSet", n, "NetworkInterfaceId").(string))
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%v: %s", tt.with, diff)
		}
	}
	a := askECS(t, sim, "DescribeInstances", args{"InstanceIds": `["i-1"]`})
	brief := func(path ...any) any {
		return a.at(append([]any{"Instances", "Instance", 0, "NetworkInterfaces", "NetworkInterface"}, path...)...)
	}
	got := []any{brief(1, "Type"), brief(1, "PrimaryIpAddress"), brief(1, "Ipv6Sets", "Ipv6Set", 0, "Ipv6Address"), brief(2, "MacAddress")}
	if diff := cmp.Diff([]any{"Secondary", "192.168.0.21", "2001:db8::21", "02:16:c0:a8:10:1f"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckOfASecondaryInterface(t *testing.T) {
	sim := newSim(t, alisim.Options{}, dual)
	check := func(id string) bool {
		_, f, _ := sim.Snapshot().Hop(id)
		return f.SourceDestCheck
	}
	if check("eni-1") || !check("eni-b") {
		t.Fatal("the seed's checks are lost")
	}
	if a := askECS(t, sim, "ModifyNetworkInterfaceAttribute", args{"NetworkInterfaceId": "eni-b", "SourceDestCheck": "False"}); a.code() != "" {
		t.Fatal(a.body)
	}
	if err := sim.SetSourceDestCheck("eni-1", true); err != nil {
		t.Fatal(err)
	}
	if !check("eni-1") || check("eni-b") {
		t.Error("the checks did not change places")
	}
	for id, code := range map[string]string{"eni-9": "InvalidEniId.NotFound", "": "MissingParameter"} {
		if a := askECS(t, sim, "ModifyNetworkInterfaceAttribute", args{"NetworkInterfaceId": id}); a.code() != code {
			t.Errorf("%q: %v", id, a.body)
		}
	}
}

func TestIPv6Entries(t *testing.T) {
	sim := newSim(t, alisim.Options{}, dual)
	for n, tt := range []struct{ destination, hop, kind, code string }{
		{"fd00:1::/64", "i-3", "Instance", ""},
		{"fd00:2::/64", "eni-b", "NetworkInterface", ""},
		{"fd00:3::1", "i-3", "Instance", ""},
		{"::/0", "i-3", "Instance", ""},
		{"fd00:4::/64", "i-2", "Instance", "OperationFailed.InvalidNexthop"},
		{"fd00:5::/64", "eni-3", "NetworkInterface", "OperationUnsupported.Ipv6EntryOnPrimaryNetworkInterface"},
		{"fd00:6::/64", "eni-1-2", "NetworkInterface", "OperationUnsupported.MutipleIpv6Address"},
		{"fd00:1::/64", "i-3", "Instance", "InvalidCIDRBlock.Duplicate"},
		{"2001:db8::/80", "i-3", "Instance", "OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch"},
		{"2001:db8::/56", "i-3", "Instance", "OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch"},
		{"2001:db8:0:2::/64", "i-3", "Instance", ""},
		{"fe80::/64", "i-3", "Instance", "InvalidDestinationCidrBlock"},
		{"ff02::/16", "i-3", "Instance", "InvalidDestinationCidrBlock"},
		{"fd00:7::1/64", "i-3", "Instance", "InvalidCidrBlock.Malformed"},
		{"172.20.1.0/24", "eni-b", "NetworkInterface", ""},
	} {
		a := ask(t, sim, "CreateRouteEntry", args{
			"RouteTableId": "vtb-1", "DestinationCidrBlock": tt.destination, "NextHopId": tt.hop, "NextHopType": tt.kind,
		})
		if a.code() != tt.code {
			t.Errorf("%d: %s by %s: %q, want %q", n, tt.destination, tt.hop, a.code(), tt.code)
		}
	}
	for version, want := range map[string]int{"ipv6": 7, "IPv4": 4} { // with the system entries of two vSwitches
		a := good(t, sim, "DescribeRouteEntryList", args{"RouteTableId": "vtb-1", "IpVersion": version, "MaxResult": "50"})
		if got := count(a, "RouteEntrys", "RouteEntry"); got != want {
			t.Errorf("%s: %d entries, want %d", version, got, want)
		}
	}
	one := batch("vtb-2 fd00:1::/64 i-3")
	one["RouteEntries.1.IpVersion"] = "4"
	bad(t, sim, "CreateRouteEntries", one, "IllegalParam.IpVersion")
	one["RouteEntries.1.IpVersion"] = "6"
	good(t, sim, "CreateRouteEntries", one)
	// A route that leads to a secondary interface holds the instance, too.
	if err := sim.RemoveInstance("i-1"); err == nil {
		t.Error("the instance was released under a route to its secondary interface")
	}
}

func TestSnapshotKeepsInterfaces(t *testing.T) {
	sim := newSim(t, alisim.Options{}, dual)
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

func TestInterfacesInMetadata(t *testing.T) {
	sim := newSim(t, alisim.Options{}, dual)
	const macs = "/latest/meta-data/network/interfaces/macs/"
	if _, got := from(sim, "192.168.0.21", "GET", macs); strings.Count(got, "\n") != 2 {
		t.Errorf("asked from a secondary address: %q", got)
	}
	_, got := from(sim, "192.168.0.11", "GET", macs+"02:16:c0:a8:00:15/network-interface-id")
	if got != "eni-b" {
		t.Errorf("interface %q", got)
	}
	if _, got = from(sim, "192.168.0.11", "GET", macs+"02:16:c0:a8:00:15/ipv6s"); got != "[2001:db8::21]" {
		t.Errorf("IPv6 %q", got)
	}
}

func TestMistakesOfInterfaces(t *testing.T) {
	seed := alisim.Example()
	dual(&seed)
	seed.Instances[0].Interfaces[0].IPv6[0] = netip.MustParseAddr("2001:db9::1")
	seed.Instances[0].Interfaces[1].IP = netip.MustParseAddr("192.168.0.12")
	seed.Instances[0].Interfaces[0].SecurityGroups = []string{"sg-9"}
	_, err := alisim.New(seed, alisim.Options{})
	for _, want := range []string{
		"instances[0].interfaces[0].ipv6[0]", "instances[0].interfaces[1].ip", "instances[0].interfaces[0].securityGroups[0]", "instances[1].ip",
	} {
		if !strings.Contains(fmt.Sprint(err), want+": ") {
			t.Errorf("nothing about %s in %v", want, err)
		}
	}
}
