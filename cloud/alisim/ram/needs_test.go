package ram

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines prints needs as service:Action resource key=value.
func lines(list []Request) []string {
	var out []string
	for _, r := range list {
		line := r.Action + " " + strings.TrimPrefix(r.Resource, "acs:")
		for _, key := range slices.Sorted(maps.Keys(r.Keys)) {
			line += fmt.Sprintf(" %s=%s", key, r.Keys[key])
		}
		out = append(out, line)
	}
	return out
}

func TestNeeds(t *testing.T) {
	for _, test := range []struct {
		call   string // product action parameter=value ...
		needs  []string
		tables map[string]string
	}{
		{call: "Vpc CreateRouteEntry RouteTableId=vtb-1", needs: []string{"vpc:CreateRouteEntry vpc:r:a:routetable/vtb-1"}},
		{call: "Vpc CreateRouteEntry", needs: []string{"vpc:CreateRouteEntry vpc:r:a:routetable/*"}},
		{call: "Vpc ModifyRouteEntry RouteEntryId=rte-1", needs: []string{"vpc:ModifyRouteEntry vpc:r:a:routetable/*"}},
		{
			call: "Vpc ModifyRouteEntry RouteEntryId=rte-1", needs: []string{"vpc:ModifyRouteEntry vpc:r:a:routetable/vtb-1"},
			tables: map[string]string{"rte-1": "vtb-1"},
		},
		{
			call: "Vpc DeleteRouteEntry RouteEntryId=rte-9", needs: []string{"vpc:DeleteRouteEntry vpc:r:a:routetable/*"},
			tables: map[string]string{"rte-1": "vtb-1"},
		},
		{
			call: "Vpc CreateRouteEntries RouteEntries.1.RouteTableId=vtb-2 RouteEntries.2.RouteTableId=vtb-1 RouteEntries.10.RouteTableId=vtb-2",
			needs: []string{
				"vpc:CreateRouteEntries vpc:r:a:routetable/vtb-1", "vpc:CreateRouteEntries vpc:r:a:routetable/vtb-2",
			},
		},
		{
			call:   "Vpc DeleteRouteEntries RouteEntries.1.RouteEntryId=rte-1 RouteEntries.2.RouteTableId=vtb-2",
			needs:  []string{"vpc:DeleteRouteEntries vpc:r:a:routetable/vtb-1", "vpc:DeleteRouteEntries vpc:r:a:routetable/vtb-2"},
			tables: map[string]string{"rte-1": "vtb-1"},
		},
		{call: "Vpc DeleteRouteEntries RouteEntries.x.RouteTableId=vtb-1", needs: []string{"vpc:DeleteRouteEntries vpc:r:a:routetable/*"}},
		{call: "Vpc DescribeRouteEntryList RouteTableId=vtb-1", needs: []string{"vpc:DescribeRouteEntryList vpc:r:a:routetable/vtb-1"}},
		{call: "Vpc DescribeRouteTables VRouterId=vrt-1", needs: []string{"vpc:DescribeRouteTables vpc:r:a:routetable/*"}},
		{call: "Vpc DescribeRouteTableList VpcId=vpc-1", needs: []string{"vpc:DescribeRouteTableList vpc:r:a:routetable/*"}},
		{call: "Vpc DescribeRouteTableList RouterId=vrt-1", needs: []string{"vpc:DescribeRouteTableList vpc:r:a:routetable/* vpc:VRouter=vrt-1"}},
		{call: "Vpc DescribeRouteTableList RouterId=vbr-1 RouterType=VBR", needs: []string{"vpc:DescribeRouteTableList vpc:r:a:routetable/* vpc:VBR=vbr-1"}},
		{call: "Vpc DescribeVpcs VpcId=vpc-2,vpc-1", needs: []string{"vpc:DescribeVpcs vpc:r:a:vpc/vpc-1", "vpc:DescribeVpcs vpc:r:a:vpc/vpc-2"}},
		{call: "Vpc DescribeVpcs", needs: []string{"vpc:DescribeVpcs vpc:r:a:vpc/*"}},
		{call: "Vpc DescribeVpcAttribute VpcId=vpc-1", needs: []string{"vpc:DescribeVpcAttribute vpc:r:a:vpc/vpc-1"}},
		{call: "Vpc DescribeVSwitches VpcId=vpc-1", needs: []string{"vpc:DescribeVSwitches vpc:r:a:vswitch/* vpc:VPC=vpc-1"}},
		{call: "Vpc AssociateRouteTable VSwitchId=vsw-1 RouteTableId=vtb-1", needs: []string{"vpc:AssociateRouteTable vpc:r:a:vswitch/vsw-1"}},
		{call: "Vpc GetVpcRouteEntrySummary VpcId=vpc-1", needs: []string{"vpc:GetVpcRouteEntrySummary *"}},
		{call: `Ecs DescribeInstances InstanceIds=["i-1"]`, needs: []string{"ecs:DescribeInstances ecs:r:a:instance/*"}},
		{call: "Ecs DescribeInstanceStatus InstanceId.1=i-1", needs: []string{"ecs:DescribeInstanceStatus *"}},
		{call: "Ecs DescribeNetworkInterfaces NetworkInterfaceId.1=eni-1", needs: []string{"ecs:DescribeNetworkInterfaces ecs:r:a:eni/*"}},
		{call: "Ecs DescribeSecurityGroupAttribute SecurityGroupId=sg-1", needs: []string{"ecs:DescribeSecurityGroupAttribute ecs:r:a:securitygroup/sg-1"}},
		{call: "Ecs ModifyNetworkInterfaceAttribute NetworkInterfaceId=eni-1 SourceDestCheck=false", needs: []string{"ecs:ModifyNetworkInterfaceAttribute ecs:r:a:eni/eni-1"}},
		{
			call: "Ecs ModifyNetworkInterfaceAttribute NetworkInterfaceId=eni-1 SecurityGroupId.1=sg-1 SecurityGroupId.2=sg-2",
			needs: []string{
				"ecs:ModifyNetworkInterfaceAttribute ecs:r:a:eni/eni-1", "ecs:ModifyNetworkInterfaceAttribute ecs:r:a:securitygroup/sg-1",
				"ecs:ModifyNetworkInterfaceAttribute ecs:r:a:securitygroup/sg-2",
			},
		},
		{
			call: "Ecs AuthorizeSecurityGroup SecurityGroupId=sg-1 Permissions.1.IpProtocol=ALL Permissions.1.SourceCidrIp=10.0.0.0/8 Permissions.2.SourceCidrIp=0.0.0.0/0",
			needs: []string{
				"ecs:AuthorizeSecurityGroup * ecs:SecurityGroupIpProtocols=ALL ecs:SecurityGroupSourceCidrIps=10.0.0.0/8",
				"ecs:AuthorizeSecurityGroup * ecs:SecurityGroupSourceCidrIps=0.0.0.0/0",
			},
		},
		{call: "Ecs AuthorizeSecurityGroup SourceCidrIp=10.0.0.0/8", needs: []string{"ecs:AuthorizeSecurityGroup * ecs:SecurityGroupSourceCidrIps=10.0.0.0/8"}},
		{call: "Ecs RevokeSecurityGroup SecurityGroupId=sg-1", needs: []string{"ecs:RevokeSecurityGroup *"}},
		{call: "Ecs CreateRouteEntry RouteTableId=vtb-1", needs: []string{"ecs:CreateRouteEntry *"}},
		{call: "Sts GetCallerIdentity"},
	} {
		words := strings.Fields(test.call)
		c := Call{Product: words[0], Action: words[1], Region: "r", Account: "a", Params: map[string]string{}}
		for _, word := range words[2:] {
			name, value, _ := strings.Cut(word, "=")
			c.Params[name] = value
		}
		if test.tables != nil {
			c.TableOf = func(entry string) string { return test.tables[entry] }
		}
		if diff := cmp.Diff(test.needs, lines(c.Needs())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.call, diff)
		}
	}
}

// A batch is permitted only if each of its tables is.
func TestPermits(t *testing.T) {
	p := parsed(t, document(`"Effect":"Allow","Action":"vpc:CreateRouteEntries","Resource":"acs:vpc:*:*:routetable/vtb-1"`))
	call := Call{Product: "vpc", Action: "CreateRouteEntries", Region: "cn-hangzhou", Account: "1", Params: map[string]string{"RouteEntries.1.RouteTableId": "vtb-1"}}
	if ok, why := p.Permits(call); !ok {
		t.Error(why)
	}
	call.Params["RouteEntries.2.RouteTableId"] = "vtb-2"
	if ok, why := p.Permits(call); ok || why != "no statement allows vpc:CreateRouteEntries on acs:vpc:cn-hangzhou:1:routetable/vtb-2" {
		t.Errorf("got %t: %s", ok, why)
	}
	if ok, _ := (Policy{}).Permits(Call{Product: "sts", Action: "GetCallerIdentity"}); !ok {
		t.Error("GetCallerIdentity needs a permission")
	}
}
