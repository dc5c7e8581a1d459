package seed_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

// comparable values of net/netip are compared by ==.
func netips() cmp.Option { return cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}) }

func TestLoadSeed(t *testing.T) {
	file, err := os.Open("testdata/seed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	seed, err := alisim.LoadSeed(file)
	if err != nil {
		t.Fatal(err)
	}
	want := alisim.Seed{
		Region: "cn-beijing",
		Keys:   []alisim.Key{{ID: "testid", Secret: "testsecret"}},
		VPCs: []alisim.VPC{{
			ID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.0.0/16"), Secondary: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
			VSwitches: []alisim.VSwitch{{ID: "vsw-1", CIDR: netip.MustParsePrefix("10.0.0.0/24")}},
			Tables: []alisim.Table{{ID: "vtb-1", System: true, Quota: 48, Routes: []alisim.Route{
				{Destination: netip.MustParsePrefix("0.0.0.0/0"), NextHop: "ngw-1", NextHopType: "NatGateway"},
			}}},
		}},
		Instances: []alisim.Instance{{ID: "i-1", VSwitch: "vsw-1", IP: netip.MustParseAddr("10.0.0.11")}},
	}
	if diff := cmp.Diff(want, seed, netips()); diff != "" {
		t.Error(diff)
	}
	if _, err := alisim.New(seed, alisim.Options{}); err != nil {
		t.Error(err)
	}
}

func TestLoadSeedNamesTheLine(t *testing.T) {
	const head = "vpcs:\n- id: vpc-1\n  cidr: 10.0.0.0/16\n  vswitches:\n  - {id: vsw-1, cidr: 10.0.0.0/24}\n" // 5 lines
	tests := map[string]struct{ text, want string }{
		"unknown key":            {head + "intances: []\n", "line 6: field intances not found"},
		"wrong kind":             {head + "instances: yes\n", "line 6: cannot unmarshal"},
		"no address":             {head + "instances:\n- {id: i-1, vswitch: vsw-1, ip: 10.0.0}\n", "line 7: ip: "},
		"no network":             {"vpcs:\n- id: vpc-1\n  cidr: 10.0.0.0\n", "line 3: cidr: "},
		"host bits":              {"vpcs:\n- id: vpc-1\n  cidr: 10.0.0.1/16\n", "line 3: vpcs[0].cidr: 10.0.0.1/16 has host bits set: write 10.0.0.0/16"},
		"unknown vSwitch":        {head + "instances:\n- {id: i-1, ip: 10.0.0.1,\n   vswitch: vsw-9}\n", `line 8: instances[0].vswitch: "vsw-9" is no vSwitch`},
		"address outside":        {head + "instances:\n- {id: i-1, vswitch: vsw-1, ip: 10.0.9.1}\n", "line 7: instances[0].ip: 10.0.9.1 is outside of vsw-1"},
		"id used twice":          {head + "instances:\n- {id: vsw-1, vswitch: vsw-1, ip: 10.0.0.1}\n", `line 7: instances[0].id: "vsw-1" is used before, at vpcs[0].vswitches[0].id`},
		"unknown table":          {"vpcs:\n- id: vpc-1\n  cidr: 10.0.0.0/16\n  vswitches:\n  - {id: vsw-1, cidr: 10.0.0.0/24, table: vtb-9}\n", `line 5: vpcs[0].vswitches[0].table: "vtb-9" is no table`},
		"vSwitch outside":        {"vpcs:\n- id: vpc-1\n  cidr: 10.0.0.0/16\n  vswitches:\n  - {id: vsw-1, cidr: 10.9.0.0/24}\n", "line 5: vpcs[0].vswitches[0].cidr: 10.9.0.0/24 is outside of the VPC"},
		"overlapping":            {head + "  - {id: vsw-2, cidr: 10.0.0.128/25}\n", "line 6: vpcs[0].vswitches[1].cidr: 10.0.0.128/25 overlaps 10.0.0.0/24 of vsw-1"},
		"what is not there":      {"vpcs:\n- cidr: 10.0.0.0/16\n", "line 2: vpcs[0].id: is missing"},
		"secret is not there":    {"keys:\n- id: testid\n", "line 2: keys[0].secret: is missing"},
		"account is no number":   {"account: me\n", `line 1: account: "me" is not a number`},
		"unknown security group": {head + "instances:\n- {id: i-1, vswitch: vsw-1, ip: 10.0.0.1, securityGroups: [sg-9]}\n", `line 7: instances[0].securityGroups[0]: "sg-9" is no security group`},
		"no time":                {"vpcs:\n- id: vpc-1\n  cidr: 10.0.0.0/16\n  taskTime: soon\n", "line 4: taskTime: "},
		"second document":        {head + "---\nvpcs: []\n", "second document"},
		"status nobody knows":    {head + "instances:\n- {id: i-1, vswitch: vsw-1, ip: 10.0.0.1, status: Broken}\n", `line 7: instances[0].status: "Broken" is none of`},
		"route to a vSwitch":     {head + "  tables:\n  - {id: vtb-1, system: true, routes: [{destination: 10.0.0.0/24, nextHop: i-1}]}\n", "destination: 10.0.0.0/24 is in the vSwitch vsw-1"},
		"route into a vSwitch":   {head + "  tables:\n  - {id: vtb-1, routes: [{destination: 10.0.0.8/32, nextHop: i-1}]}\n", "destination: 10.0.0.8/32 is in the vSwitch vsw-1"},
		"route to loopback":      {head + "  tables:\n  - {id: vtb-1, routes: [{destination: 127.0.0.0/8, nextHop: i-1}]}\n", "destination: 127.0.0.0/8 is kept"},
		"MAC used twice":         {head + "instances:\n- {id: i-1, vswitch: vsw-1, ip: 10.0.0.1, mac: \"02:00:00:00:00:01\"}\n- {id: i-2, vswitch: vsw-1, ip: 10.0.0.2, mac: \"02:00:00:00:00:01\"}\n", "instances[1].mac: "},
		"no YAML":                {"vpcs: [\n", "line 1"},
		"nothing":                {"# only a comment\n", "it is empty"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := alisim.LoadSeed(strings.NewReader(tt.text))
			if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v\nwant %q in it", err, tt.want)
			}
		})
	}
}

func TestTagsAreNoAddresses(t *testing.T) {
	seed, err := alisim.LoadSeed(strings.NewReader("vpcs:\n- {id: vpc-1, cidr: 10.0.0.0/16, tags: {source: terraform, ip: none}}\n"))
	if err != nil || seed.VPCs[0].Tags["source"] != "terraform" {
		t.Errorf("%v %v", seed.VPCs, err)
	}
}

func TestNewTellsEveryMistake(t *testing.T) {
	_, err := alisim.New(alisim.Seed{
		VPCs: []alisim.VPC{{ID: "vpc-1", Tables: []alisim.Table{
			{ID: "vtb-1", System: true, Quota: -1, Routes: []alisim.Route{{Destination: netip.MustParsePrefix("10.0.0.0/8"), State: "Lost"}}},
			{ID: "vtb-2", System: true},
		}}},
	}, alisim.Options{})
	if !errors.Is(err, api.ErrInvalid) {
		t.Fatalf("error is %v", err)
	}
	for _, want := range []string{"vpcs[0].cidr: is missing", "2 of them are system tables", "quota: -1 is negative", "nextHop: is missing", `state: "Lost" is none of`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestSnapshotIsASeed(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	first := sim.Snapshot()
	for v := range first.VPCs {
		for n := range first.VPCs[v].Tables {
			for r := range first.VPCs[v].Tables[n].Routes {
				first.VPCs[v].Tables[n].Routes[r].ID = "" // an answer only
			}
		}
	}
	again, err := alisim.New(first, alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids := cmpopts.IgnoreFields(alisim.Route{}, "ID")
	if diff := cmp.Diff(first, again.Snapshot(), netips(), ids); diff != "" {
		t.Error(diff)
	}
	if got := len(first.VPCs[0].Tables[0].Routes); got != 1 {
		t.Errorf("%d routes in the snapshot, want 1", got)
	}
}

func TestTheSeedOfTheManualIsGood(t *testing.T) {
	seed, err := alisim.LoadSeedFile("../../../../docs/sim/seed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alisim.New(seed, alisim.Options{}); err != nil {
		t.Error(err)
	}
}

func TestDerivedIDsDiffer(t *testing.T) {
	seed := alisim.Seed{}
	for n, name := range []string{"vpc-1", "prod-1", "test-1"} {
		base := netip.AddrFrom4([4]byte{byte(10 + n), 168, 0, 0})
		seed.VPCs = append(seed.VPCs, alisim.VPC{
			ID: name, CIDR: netip.PrefixFrom(base, 16), VSwitches: []alisim.VSwitch{{ID: "vsw-" + name, CIDR: netip.PrefixFrom(base, 24)}},
		})
	}
	for n, id := range []string{"i-1", "web-1", "db-1"} {
		ip := netip.AddrFrom4([4]byte{byte(10 + n), 168, 0, 5})
		seed.Instances = append(seed.Instances, alisim.Instance{ID: id, VSwitch: "vsw-" + seed.VPCs[n].ID, IP: ip})
	}
	sim, err := alisim.New(seed, alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := sim.Snapshot()
	if v, i := got.VPCs[0], got.Instances; v.VRouter != "vrt-1" || v.Tables[0].ID != "vtb-1-system" || i[1].ENI != "eni-1" {
		t.Errorf("ids of the usual form changed: %s %s %s", v.VRouter, v.Tables[0].ID, i[1].ENI)
	}
	disks := map[any]bool{}
	for n := range 3 {
		disks[simtest.AskECS(t, sim, "DescribeDisks", nil).At("Disks", "Disk", n, "DiskId")] = true
	}
	if len(disks) != 3 {
		t.Errorf("disks are %v", disks)
	}
	if err := sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-vpc-1", IP: netip.MustParseAddr("10.168.0.9"), MAC: got.Instances[1].MAC}); err == nil {
		t.Error("a MAC was given twice")
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

func TestMistakesOfInterfaces(t *testing.T) {
	seed := alisim.Example()
	simtest.DualStack(&seed)
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
