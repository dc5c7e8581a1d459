package ecs

import (
	"net/netip"
	"strconv"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

type securityGroup struct {
	call.Body
	RegionID          string `json:"RegionId"`
	VpcID             string `json:"VpcId"`
	SecurityGroupID   string `json:"SecurityGroupId"`
	SecurityGroupName string `json:"SecurityGroupName"`
	Description       string `json:"Description"`
	InnerAccessPolicy string `json:"InnerAccessPolicy"`
	NextToken         string `json:"NextToken"`
	Permissions       struct {
		Permission []permission `json:"Permission"`
	} `json:"Permissions"`
}

type permission struct {
	SecurityGroupRuleID     string `json:"SecurityGroupRuleId"`
	Direction               string `json:"Direction"`
	IPProtocol              string `json:"IpProtocol"`
	PortRange               string `json:"PortRange"`
	SourcePortRange         string `json:"SourcePortRange"`
	Policy                  string `json:"Policy"`
	Priority                string `json:"Priority"`
	NicType                 string `json:"NicType"`
	SourceCidrIP            string `json:"SourceCidrIp"`
	Ipv6SourceCidrIP        string `json:"Ipv6SourceCidrIp"`
	SourceGroupID           string `json:"SourceGroupId"`
	SourceGroupName         string `json:"SourceGroupName"`
	SourceGroupOwnerAccount string `json:"SourceGroupOwnerAccount"`
	SourcePrefixListID      string `json:"SourcePrefixListId"`
	SourcePrefixListName    string `json:"SourcePrefixListName"`
	DestCidrIP              string `json:"DestCidrIp"`
	Ipv6DestCidrIP          string `json:"Ipv6DestCidrIp"`
	DestGroupID             string `json:"DestGroupId"`
	DestGroupName           string `json:"DestGroupName"`
	DestGroupOwnerAccount   string `json:"DestGroupOwnerAccount"`
	DestPrefixListID        string `json:"DestPrefixListId"`
	DestPrefixListName      string `json:"DestPrefixListName"`
	Description             string `json:"Description"`
	CreateTime              string `json:"CreateTime"`
}

func permissionShape(w *world.World, r seed.Rule, d seed.Direction) permission {
	out := permission{
		SecurityGroupRuleID: r.ID, Direction: string(d), IPProtocol: r.Protocol, PortRange: r.Ports, Policy: r.Policy,
		Priority: strconv.Itoa(r.Priority), NicType: "intranet", Description: r.Description, CreateTime: call.Stamp(w.Born),
	}
	out.SourceCidrIP, out.Ipv6SourceCidrIP = byFamily(r.Source)
	out.DestCidrIP, out.Ipv6DestCidrIP = byFamily(r.Destination)
	switch {
	case r.Group == "":
	case d == seed.Ingress:
		out.SourceGroupID, out.SourceGroupName, out.SourceGroupOwnerAccount = r.Group, w.GroupName(r.Group), w.Account
	default:
		out.DestGroupID, out.DestGroupName, out.DestGroupOwnerAccount = r.Group, w.GroupName(r.Group), w.Account
	}
	return out
}

// byFamily writes a network in the field of its family; the other stays empty.
func byFamily(p netip.Prefix) (v4, v6 string) {
	switch {
	case !p.IsValid():
		return "", ""
	case p.Addr().Is4():
		return p.String(), ""
	default:
		return "", p.String()
	}
}

type securityGroups struct {
	call.Body
	call.Numbered
	RegionID       string `json:"RegionId"`
	NextToken      string `json:"NextToken"`
	SecurityGroups struct {
		SecurityGroup []securityGroupItem `json:"SecurityGroup"`
	} `json:"SecurityGroups"`
}

type securityGroupItem struct {
	SecurityGroupID         string               `json:"SecurityGroupId"`
	SecurityGroupName       string               `json:"SecurityGroupName"`
	SecurityGroupType       string               `json:"SecurityGroupType"`
	Description             string               `json:"Description"`
	VpcID                   string               `json:"VpcId"`
	CreationTime            string               `json:"CreationTime"`
	EcsCount                int                  `json:"EcsCount"`
	AvailableInstanceAmount int                  `json:"AvailableInstanceAmount"`
	ResourceGroupID         string               `json:"ResourceGroupId"`
	ServiceManaged          bool                 `json:"ServiceManaged"`
	ServiceID               int                  `json:"ServiceID"`
	RuleCount               int                  `json:"RuleCount"`
	GroupToGroupRuleCount   int                  `json:"GroupToGroupRuleCount"`
	Tags                    call.TagList[ecsTag] `json:"Tags"`
}
