package vpc

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

type vpcs struct {
	call.Body
	call.Numbered
	Vpcs struct {
		Vpc []vpcItem `json:"Vpc"`
	} `json:"Vpcs"`
}

// vpcFacts are what both VPC actions tell.
type vpcFacts struct {
	VpcID                string               `json:"VpcId"`
	VpcName              string               `json:"VpcName"`
	RegionID             string               `json:"RegionId"`
	Status               seed.State           `json:"Status"`
	CidrBlock            netip.Prefix         `json:"CidrBlock"`
	VRouterID            string               `json:"VRouterId"`
	IsDefault            bool                 `json:"IsDefault"`
	OwnerID              int64                `json:"OwnerId"`
	Description          string               `json:"Description"`
	CreationTime         string               `json:"CreationTime"`
	ResourceGroupID      string               `json:"ResourceGroupId"`
	EnabledIpv6          bool                 `json:"EnabledIpv6"`
	Ipv6CidrBlock        string               `json:"Ipv6CidrBlock"`
	DhcpOptionsSetID     string               `json:"DhcpOptionsSetId"`
	DhcpOptionsSetStatus string               `json:"DhcpOptionsSetStatus"`
	DNSHostnameStatus    string               `json:"DnsHostnameStatus"`
	NetworkACLNum        string               `json:"NetworkAclNum"`
	VSwitchIDs           vswitchIDs           `json:"VSwitchIds"`
	SecondaryCidrBlocks  secondaryCidrs       `json:"SecondaryCidrBlocks"`
	UserCidrs            userCidrs            `json:"UserCidrs"`
	Ipv6CidrBlocks       ipv6CidrBlocks       `json:"Ipv6CidrBlocks"`
	Tags                 call.TagList[vpcTag] `json:"Tags"`
}

type secondaryCidrs struct {
	SecondaryCidrBlock []netip.Prefix `json:"SecondaryCidrBlock"`
}

type userCidrs struct {
	UserCidr []netip.Prefix `json:"UserCidr"`
}

type ipv6CidrBlocks struct {
	Ipv6CidrBlock []ipv6CidrBlock `json:"Ipv6CidrBlock"`
}

type ipv6CidrBlock struct {
	Ipv6CidrBlock string `json:"Ipv6CidrBlock"`
	Ipv6Isp       string `json:"Ipv6Isp"`
}

func ipv6Cidrs(p netip.Prefix) ipv6CidrBlocks {
	out := ipv6CidrBlocks{[]ipv6CidrBlock{}}
	if p.IsValid() {
		out.Ipv6CidrBlock = append(out.Ipv6CidrBlock, ipv6CidrBlock{p.String(), "BGP"})
	}
	return out
}

// prefixText writes a network, or nothing where there is none.
func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

type vpcItem struct {
	vpcFacts
	CenStatus              string         `json:"CenStatus"`
	SupportAdvancedFeature bool           `json:"SupportAdvancedFeature"`
	AdvancedResource       bool           `json:"AdvancedResource"`
	NatGatewayIDs          natGatewayIDs  `json:"NatGatewayIds"`
	RouterTableIDs         routerTableIDs `json:"RouterTableIds"`
}

type natGatewayIDs struct {
	NatGatewayIDs []string `json:"NatGatewayIds"`
}

type routerTableIDs struct {
	RouterTableIDs []string `json:"RouterTableIds"`
}

type vpcAttribute struct {
	call.Body
	vpcFacts
	ClassicLinkEnabled           bool                  `json:"ClassicLinkEnabled"`
	SupportIpv4Gateway           bool                  `json:"SupportIpv4Gateway"`
	Ipv4GatewayID                string                `json:"Ipv4GatewayId"`
	AssociatedCens               map[string][]struct{} `json:"AssociatedCens"`
	AssociatedPropagationSources map[string][]struct{} `json:"AssociatedPropagationSources"`
	CloudResources               struct {
		CloudResourceSetType []resourceCount `json:"CloudResourceSetType"`
	} `json:"CloudResources"`
}

type resourceCount struct {
	ResourceType  string `json:"ResourceType"`
	ResourceCount int    `json:"ResourceCount"`
}

func factsShape(w *world.World, v *world.VPC) vpcFacts {
	return vpcFacts{
		VpcID: v.ID, VpcName: v.Name, RegionID: w.Region, Status: v.Status, CidrBlock: v.CIDR, VRouterID: v.VRouter,
		OwnerID: ownerID(w), CreationTime: call.Stamp(w.Born), DNSHostnameStatus: "DISABLED", NetworkACLNum: "0",
		VSwitchIDs:          vswitchIDs{world.Mapped(v.VSwitches, func(s *world.VSwitch) string { return s.ID })},
		SecondaryCidrBlocks: secondaryCidrs{world.NonNil(v.Secondary)},
		UserCidrs:           userCidrs{world.NonNil(v.UserCIDRs)},
		EnabledIpv6:         v.IPv6.IsValid(), Ipv6CidrBlock: prefixText(v.IPv6), Ipv6CidrBlocks: ipv6Cidrs(v.IPv6),
		Tags: vpcTags(v.Tags),
	}
}

func vpcShape(w *world.World, v *world.VPC) vpcItem {
	return vpcItem{
		vpcFacts: factsShape(w, v), CenStatus: "Detached", SupportAdvancedFeature: true, AdvancedResource: true,
		NatGatewayIDs:  natGatewayIDs{[]string{}},
		RouterTableIDs: routerTableIDs{tableIDs(v)},
	}
}

func tableIDs(v *world.VPC) []string {
	return world.Mapped(v.Tables, func(t *world.Table) string { return t.ID })
}

func attributeShape(w *world.World, v *world.VPC) *vpcAttribute {
	out := &vpcAttribute{
		vpcFacts: factsShape(w, v), SupportIpv4Gateway: true,
		AssociatedCens:               map[string][]struct{}{"AssociatedCen": {}},
		AssociatedPropagationSources: map[string][]struct{}{"AssociatedPropagationSources": {}},
	}
	out.CloudResources.CloudResourceSetType = []resourceCount{
		{"VRouter", 1}, {"VSwitch", len(v.VSwitches)}, {"RouteTable", len(v.Tables)},
	}
	return out
}

type vswitchList struct {
	call.Body
	call.Numbered
	VSwitches struct {
		VSwitch []vswitchItem `json:"VSwitch"`
	} `json:"VSwitches"`
}

type vswitchItem struct {
	VSwitchID               string               `json:"VSwitchId"`
	VpcID                   string               `json:"VpcId"`
	VSwitchName             string               `json:"VSwitchName"`
	ZoneID                  string               `json:"ZoneId"`
	Status                  seed.State           `json:"Status"`
	CidrBlock               netip.Prefix         `json:"CidrBlock"`
	Ipv6CidrBlock           string               `json:"Ipv6CidrBlock"`
	EnabledIpv6             bool                 `json:"EnabledIpv6"`
	AvailableIPAddressCount int                  `json:"AvailableIpAddressCount"`
	IsDefault               bool                 `json:"IsDefault"`
	OwnerID                 int64                `json:"OwnerId"`
	ShareType               string               `json:"ShareType"`
	Description             string               `json:"Description"`
	CreationTime            string               `json:"CreationTime"`
	ResourceGroupID         string               `json:"ResourceGroupId"`
	NetworkACLID            string               `json:"NetworkAclId"`
	RouteTable              tableName            `json:"RouteTable"`
	Tags                    call.TagList[vpcTag] `json:"Tags"`
}

type tableName struct {
	RouteTableID   string `json:"RouteTableId"`
	RouteTableType string `json:"RouteTableType"`
}

func vswitchShape(w *world.World, s *world.VSwitch) vswitchItem {
	used := 0
	for _, n := range w.NICs() {
		if n.Interface.VSwitch == s.ID {
			used += 1 + len(n.Interface.MoreIPs)
		}
	}
	// Of a subnet's addresses the cloud keeps the first and the last three.
	return vswitchItem{
		VSwitchID: s.ID, VpcID: s.VPC.ID, VSwitchName: s.Name, ZoneID: s.Zone, Status: s.Status, CidrBlock: s.CIDR,
		Ipv6CidrBlock: prefixText(s.IPv6), EnabledIpv6: s.IPv6.IsValid(),
		AvailableIPAddressCount: max(0, 1<<(32-s.CIDR.Bits())-4-used), OwnerID: ownerID(w), CreationTime: call.Stamp(w.Born),
		RouteTable: tableName{s.Uses.ID, s.Uses.Kind()}, Tags: vpcTags(s.Tags),
	}
}

type vrouters struct {
	call.Body
	call.Numbered
	VRouters struct {
		VRouter []vrouter `json:"VRouter"`
	} `json:"VRouters"`
}

type vrouter struct {
	VRouterID     string        `json:"VRouterId"`
	VRouterName   string        `json:"VRouterName"`
	VpcID         string        `json:"VpcId"`
	RegionID      string        `json:"RegionId"`
	Description   string        `json:"Description"`
	CreationTime  string        `json:"CreationTime"`
	RouteTableIDs routeTableIDs `json:"RouteTableIds"`
}

type routeTableIDs struct {
	RouteTableID []string `json:"RouteTableId"`
}

func vrouterShape(w *world.World, v *world.VPC) vrouter {
	return vrouter{
		VRouterID: v.VRouter, VpcID: v.ID, RegionID: w.Region, CreationTime: call.Stamp(w.Born),
		RouteTableIDs: routeTableIDs{tableIDs(v)},
	}
}

// ownerID is the account as the number it is in VPC answers.
func ownerID(w *world.World) int64 {
	n, _ := strconv.ParseInt(w.Account, 10, 64) // checked with the seed
	return n
}

type vpcTag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

func vpcTags(tags map[string]string) call.TagList[vpcTag] {
	return call.TagList[vpcTag]{Tag: world.Mapped(slices.Sorted(maps.Keys(tags)), func(k string) vpcTag { return vpcTag{k, tags[k]} })}
}

type vswitchIDs struct {
	VSwitchID []string `json:"VSwitchId"`
}
