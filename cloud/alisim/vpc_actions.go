package alisim

// Service answers the actions of the VPC. It remembers the ClientTokens of its changes. The
// caller of its methods holds the world.
type Service struct {
	tokens  map[string]remembered
	running map[string]*call // calls under way, by ClientToken
}

// NewService is a service that was never called.
func NewService() *Service {
	return &Service{tokens: map[string]remembered{}, running: map[string]*call{}}
}

// Actions are the actions of the VPC by their names.
func (s *Service) Actions() map[string]handler {
	return map[string]handler{
		"DescribeVpcs":            describeVpcs,
		"DescribeVpcAttribute":    describeVpcAttribute,
		"DescribeVSwitches":       describeVSwitches,
		"DescribeVRouters":        describeVRouters,
		"DescribeRouteTableList":  describeRouteTableList,
		"DescribeRouteTables":     describeRouteTables,
		"DescribeRouteEntryList":  describeRouteEntryList,
		"GetVpcRouteEntrySummary": getVpcRouteEntrySummary,
		"CreateRouteEntry":        s.createRouteEntry,
		"CreateRouteEntries":      createRouteEntries,
		"DeleteRouteEntry":        deleteRouteEntry,
		"DeleteRouteEntries":      deleteRouteEntries,
		"ModifyRouteEntry":        modifyRouteEntry,
		"AssociateRouteTable":     s.associateRouteTable,
		"UnassociateRouteTable":   unassociateRouteTable,

		"ListVpcPublishedRouteEntries": listVpcPublishedRouteEntries,
	}
}

// LegacyActions are those that ECS had before VPC was a product of its own.
func (s *Service) LegacyActions() map[string]handler {
	return map[string]handler{
		"DescribeVpcs":        describeVpcs,
		"DescribeVSwitches":   describeVSwitches,
		"DescribeVRouters":    describeVRouters,
		"DescribeRouteTables": describeRouteTables,
		"CreateRouteEntry":    s.createRouteEntry,
		"DeleteRouteEntry":    deleteRouteEntry,
	}
}
