package alisim_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

// TestAnswersHaveTheNamesOfTheAPI compares the names in one good answer of each action with
// those that the API uses, kept in testdata/shapes.txt.
func TestAnswersHaveTheNamesOfTheAPI(t *testing.T) {
	ecs := func(a simtest.Args) simtest.Args { a["Version"] = "2014-05-26"; return a }
	calls := map[string]simtest.Args{
		"AssociateRouteTable":             {"RouteTableId": "vtb-2", "VSwitchId": "vsw-1"},
		"AuthorizeSecurityGroup":          ecs(simtest.Args{"SecurityGroupId": "sg-1", "IpProtocol": "all", "SourceCidrIp": "172.20.0.0/16"}),
		"CreateRouteEntries":              simtest.BatchArgs("vtb-1 172.20.2.0/24 i-1", "vtb-1 172.20.1.0/24 i-1"),
		"CreateRouteEntry":                simtest.EntryArgs("172.20.3.0/24"),
		"DeleteRouteEntries":              simtest.BatchArgs("vtb-1 172.20.9.0/24 i-1"),
		"DeleteRouteEntry":                simtest.EntryArgs("172.20.1.0/24"),
		"DescribeInstanceStatus":          ecs(simtest.Args{}),
		"DescribeInstances":               ecs(simtest.Args{"AdditionalAttributes.1": "META_OPTIONS"}),
		"DescribeNetworkInterfaces":       ecs(simtest.Args{}),
		"DescribeRouteEntryList":          {"RouteTableId": "vtb-1"},
		"DescribeRouteTableList":          {},
		"DescribeRouteTables":             {"VRouterId": "vrt-1"},
		"DescribeSecurityGroupAttribute":  ecs(simtest.Args{"SecurityGroupId": "sg-1"}),
		"DescribeVRouters":                {},
		"DescribeVSwitches":               {"VpcId": "vpc-1"},
		"DescribeVpcAttribute":            {"VpcId": "vpc-1"},
		"DescribeVpcs":                    {},
		"GetVpcRouteEntrySummary":         {"VpcId": "vpc-1", "RouteEntryType": "custom"},
		"ModifyNetworkInterfaceAttribute": ecs(simtest.Args{"NetworkInterfaceId": "eni-1", "SourceDestCheck": "true"}),
		"ModifyRouteEntry":                {"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NewNextHopId": "i-2"},
	}
	for action, want := range shapes(t) {
		t.Run(action, func(t *testing.T) {
			with, ok := calls[action]
			if !ok {
				t.Fatal("this test does not call the action")
			}
			sim := simtest.New(t, alisim.Options{})
			simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
			a := simtest.Good(t, sim, action, with)
			if diff := cmp.Diff(want, names(a.Body)); diff != "" {
				t.Errorf("names in the answer (-API +simulator):\n%s", diff)
			}
		})
	}
}

// shapes reads the names by action.
func shapes(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/shapes.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	action := ""
	for line := range strings.Lines(string(text)) {
		switch name, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "\t"); {
		case indented:
			out[action] = append(out[action], name)
		case name != "" && name[0] != '#':
			action = name
		}
	}
	return out
}

// names are the paths of all values, sorted.
func names(body map[string]any) []string {
	seen := map[string]bool{}
	walk("", body, seen)
	var out []string
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func walk(path string, v any, seen map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			walk(strings.TrimPrefix(path+"."+name, "."), x, seen)
		}
	case []any:
		seen[path+"[]"] = true
		for _, x := range v {
			if _, object := x.(map[string]any); object {
				walk(path+"[]", x, seen)
			}
		}
	default:
		seen[path] = true
	}
}
