package alisim

type published struct {
	body
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
func listVpcPublishedRouteEntries(w *world, c *call) (reply, error) {
	t, err := tableFor(w, c, "InvalidRouteTableId.NotFound")
	if err != nil {
		return nil, err
	}
	size, err := c.number("MaxResults", 50, 500)
	if err != nil {
		return nil, err
	}
	var found []*entry
	for _, e := range t.entries {
		if !e.System && c.matches("DestinationCidrBlock", e.Destination.String()) {
			found = append(found, e)
		}
	}
	page, next, err := pageAfter(c, found, size)
	if err != nil {
		return nil, err
	}
	return &published{NextToken: next, RouteEntries: mapped(page, func(e *entry) publishedEntry {
		return publishedEntry{e.ID, t.ID, e.Destination.String(), []publishTarget{}}
	})}, nil
}
