package vpc

import (
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// The answers about routes, as the API spells them. All lists are present, if empty: clients
// are generated from the same names.

type routeEntryList struct {
	call.Body
	NextToken   string `json:"NextToken"`
	RouteEntrys struct {
		RouteEntry []routeEntry `json:"RouteEntry"`
	} `json:"RouteEntrys"`
}

type routeEntry struct {
	RouteEntryID         string     `json:"RouteEntryId"`
	RouteTableID         string     `json:"RouteTableId"`
	DestinationCidrBlock string     `json:"DestinationCidrBlock"`
	Status               seed.State `json:"Status"`
	Type                 string     `json:"Type"`
	IPVersion            string     `json:"IpVersion"`
	RouteEntryName       string     `json:"RouteEntryName"`
	Description          string     `json:"Description"`
	GmtModified          string     `json:"GmtModified"`
	ServiceType          string     `json:"ServiceType"`
	Origin               string     `json:"Origin"`
	NextHops             nextHops   `json:"NextHops"`
}

type nextHops struct {
	NextHop []nextHop `json:"NextHop"`
}

type nextHop struct {
	NextHopID          string      `json:"NextHopId"`
	NextHopType        string      `json:"NextHopType"`
	NextHopRegionID    string      `json:"NextHopRegionId"`
	Weight             int         `json:"Weight"`
	Enabled            int         `json:"Enabled"`
	NextHopRelatedInfo relatedInfo `json:"NextHopRelatedInfo"`
}

type relatedInfo struct {
	InstanceID   string `json:"InstanceId"`
	InstanceType string `json:"InstanceType"`
	RegionID     string `json:"RegionId"`
}

func entryShape(e *world.Entry) routeEntry {
	origin := "CustomCreate"
	if e.System {
		origin = "SystemCreate"
	}
	return routeEntry{
		RouteEntryID: e.ID, RouteTableID: e.Table.ID, DestinationCidrBlock: e.Destination.String(),
		Status: e.State, Type: e.Kind(), IPVersion: e.Family(), RouteEntryName: e.Name, Description: e.Description,
		GmtModified: call.Stamp(e.Modified), Origin: origin,
		NextHops: nextHops{[]nextHop{{NextHopID: e.NextHop, NextHopType: e.NextHopType, Enabled: 1}}},
	}
}

// routeTableList says twice that all went well, and Terraform's alicloud_vpcs takes only a
// Code of 200 for it.
type routeTableList struct {
	call.Body
	call.Numbered
	Code            string `json:"Code"`
	Message         string `json:"Message"`
	Success         bool   `json:"Success"`
	RouterTableList struct {
		RouterTableListType []routerTable `json:"RouterTableListType"`
	} `json:"RouterTableList"`
}

type routerTable struct {
	VpcID                  string               `json:"VpcId"`
	RouterID               string               `json:"RouterId"`
	RouterType             string               `json:"RouterType"`
	RouteTableID           string               `json:"RouteTableId"`
	RouteTableName         string               `json:"RouteTableName"`
	RouteTableType         string               `json:"RouteTableType"`
	AssociateType          string               `json:"AssociateType"`
	Status                 seed.State           `json:"Status"`
	OwnerID                int64                `json:"OwnerId"`
	Description            string               `json:"Description"`
	ResourceGroupID        string               `json:"ResourceGroupId"`
	CreationTime           string               `json:"CreationTime"`
	RoutePropagationEnable bool                 `json:"RoutePropagationEnable"`
	VSwitchIDs             vswitchIDs           `json:"VSwitchIds"`
	GatewayIDs             gatewayIDs           `json:"GatewayIds"`
	Tags                   call.TagList[vpcTag] `json:"Tags"`
}

type gatewayIDs struct {
	GatewayIDs []string `json:"GatewayIds"`
}

func tableShape(w *world.World, t *world.Table) routerTable {
	associate, gateways := "VSwitch", []string{}
	if t.Gateway {
		associate, gateways = "Gateway", []string{"igw4-" + seed.BareID("vtb", t.ID)}
	}
	return routerTable{
		VpcID: t.VPC.ID, RouterID: t.VPC.VRouter, RouterType: "VRouter", RouteTableID: t.ID, RouteTableName: t.Name,
		RouteTableType: t.Kind(), AssociateType: associate, Status: t.Status, OwnerID: ownerID(w),
		CreationTime: call.Stamp(w.Born), RoutePropagationEnable: true,
		VSwitchIDs: vswitchIDs{t.Users()}, GatewayIDs: gatewayIDs{gateways}, Tags: vpcTags(t.Tags),
	}
}

// routeTables is the legacy answer, with the next hop flattened into the entry.
type routeTables struct {
	call.Body
	call.Numbered
	RouteTables struct {
		RouteTable []legacyTable `json:"RouteTable"`
	} `json:"RouteTables"`
}

type legacyTable struct {
	VRouterID       string     `json:"VRouterId"`
	RouteTableID    string     `json:"RouteTableId"`
	RouteTableType  string     `json:"RouteTableType"`
	Status          seed.State `json:"Status"`
	CreationTime    string     `json:"CreationTime"`
	ResourceGroupID string     `json:"ResourceGroupId"`
	VSwitchIDs      vswitchIDs `json:"VSwitchIds"`
	RouteEntrys     struct {
		RouteEntry []legacyEntry `json:"RouteEntry"`
	} `json:"RouteEntrys"`
}

type legacyEntry struct {
	RouteTableID         string     `json:"RouteTableId"`
	RouteEntryID         string     `json:"RouteEntryId"`
	RouteEntryName       string     `json:"RouteEntryName"`
	Description          string     `json:"Description"`
	DestinationCidrBlock string     `json:"DestinationCidrBlock"`
	InstanceID           string     `json:"InstanceId"`
	NextHopType          string     `json:"NextHopType"`
	Type                 string     `json:"Type"`
	Status               seed.State `json:"Status"`
	IPVersion            string     `json:"IpVersion"`
	NextHops             nextHops   `json:"NextHops"`
}

func legacyShape(c *call.Call, w *world.World, t *world.Table) legacyTable {
	out := legacyTable{
		VRouterID: t.VPC.VRouter, RouteTableID: t.ID, RouteTableType: t.Kind(), Status: t.Status,
		CreationTime: call.Stamp(w.Born), VSwitchIDs: vswitchIDs{t.Users()},
	}
	out.RouteEntrys.RouteEntry = make([]legacyEntry, 0, len(t.Entries))
	for _, e := range call.Shown(c, call.Hidden(c, t.Entries)) {
		out.RouteEntrys.RouteEntry = append(out.RouteEntrys.RouteEntry, legacyEntry{
			RouteTableID: t.ID, RouteEntryID: e.ID, RouteEntryName: e.Name, Description: e.Description,
			DestinationCidrBlock: e.Destination.String(), InstanceID: e.NextHop, NextHopType: e.NextHopType,
			Type: e.Kind(), Status: e.State, IPVersion: strings.ToLower(e.Family()), NextHops: nextHops{[]nextHop{}},
		})
	}
	return out
}

type routeEntrySummary struct {
	call.Body
	RouteEntrySummarys []tableSummary `json:"RouteEntrySummarys"`
}

type tableSummary struct {
	RouteTableID  string      `json:"RouteTableId"`
	EntrySummarys []typeCount `json:"EntrySummarys"`
}

type typeCount struct {
	RouteEntryType string `json:"RouteEntryType"`
	Count          int    `json:"Count"`
}

type created struct {
	call.Body
	RouteEntryID string `json:"RouteEntryId"`
}

type batchCreated struct {
	call.Body
	SuccessCount       int            `json:"SuccessCount"`
	FailedCount        int            `json:"FailedCount"`
	RouteEntryIDs      []string       `json:"RouteEntryIds"`
	FailedRouteEntries []createFailed `json:"FailedRouteEntries"`
}

type createFailed struct {
	DstCidrBlock  string `json:"DstCidrBlock"`
	NextHop       string `json:"NextHop"`
	FailedCode    string `json:"FailedCode"`
	FailedMessage string `json:"FailedMessage"`
}

type batchDeleted struct {
	call.Body
	SuccessCount       int            `json:"SuccessCount"`
	FailedCount        int            `json:"FailedCount"`
	FailedRouteEntries []deleteFailed `json:"FailedRouteEntries"`
}

type deleteFailed struct {
	RouteEntryID string `json:"RouteEntryId"`
	createFailed
}
