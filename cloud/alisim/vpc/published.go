package vpc

import (
	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
)

type publishedEntries struct {
	call.Body
	NextToken    string           `json:"NextToken"`
	RouteEntries []publishedEntry `json:"RouteEntries"`
}

type publishedEntry struct {
	RouteEntryID         string          `json:"RouteEntryId"`
	RouteTableID         string          `json:"RouteTableId"`
	DestinationCidrBlock string          `json:"DestinationCidrBlock"`
	RoutePublishTargets  []publishTarget `json:"RoutePublishTargets"`
}

// publishTarget is a router outside of the VPC that is told of an entry. There is none here.
type publishTarget struct {
	PublishStatus           string `json:"PublishStatus"`
	PublishTargetType       string `json:"PublishTargetType"`
	PublishTargetInstanceID string `json:"PublishTargetInstanceId"`
}

// listVpcPublishedRouteEntries tells of each entry that it is published nowhere. Terraform's
// alicloud_vpc_route_entry asks whenever it reads an entry.
func listVpcPublishedRouteEntries(w *world.World, c *call.Call) (call.Reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	size, err := c.Number("MaxResults", 50, 500)
	if err != nil {
		return nil, err
	}
	var found []*world.Entry
	for _, e := range t.Entries {
		if !e.System && c.Matches("DestinationCidrBlock", e.Destination.String()) {
			found = append(found, e)
		}
	}
	page, next, err := call.TokenPage(c, found, size)
	if err != nil {
		return nil, err
	}
	return &publishedEntries{NextToken: next, RouteEntries: world.Mapped(page, func(e *world.Entry) publishedEntry {
		return publishedEntry{e.ID, t.ID, e.Destination.String(), []publishTarget{}}
	})}, nil
}
