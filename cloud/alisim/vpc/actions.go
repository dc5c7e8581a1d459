// Package vpc answers the actions of the VPC in the shapes of its API (shape_*.go).
package vpc

import "github.com/sealane/sealane/cloud/alisim/call"

// Actions are the actions of the VPC by their names.
func (s *Service) Actions() map[string]call.Handler {
	return map[string]call.Handler{
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
func (s *Service) LegacyActions() map[string]call.Handler {
	return map[string]call.Handler{
		"DescribeVpcs":        describeVpcs,
		"DescribeVSwitches":   describeVSwitches,
		"DescribeVRouters":    describeVRouters,
		"DescribeRouteTables": describeRouteTables,
		"CreateRouteEntry":    s.createRouteEntry,
		"DeleteRouteEntry":    deleteRouteEntry,
	}
}
