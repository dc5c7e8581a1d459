// Package ecs answers the actions of ECS in the shapes of its API (shape_*.go).
package ecs

import (
	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Actions are the actions of ECS by their names.
func Actions() map[string]call.Handler {
	return map[string]call.Handler{
		"DescribeRegions":                 describeRegions,
		"DescribeDisks":                   describeDisks,
		"DescribeInstanceRamRole":         describeInstanceRAMRole,
		"DescribeInstances":               describeInstances,
		"DescribeInstanceStatus":          describeInstanceStatus,
		"DescribeNetworkInterfaces":       describeNetworkInterfaces,
		"DeleteInstance":                  deleteInstances,
		"DeleteInstances":                 deleteInstances,
		"ModifyInstanceMetadataOptions":   modifyInstanceMetadataOptions,
		"ModifyNetworkInterfaceAttribute": modifyNetworkInterfaceAttribute,
		"DescribeSecurityGroups":          describeSecurityGroups,
		"DescribeSecurityGroupAttribute":  describeSecurityGroupAttribute,
		"ModifySecurityGroupPolicy":       modifySecurityGroupPolicy,
		"AuthorizeSecurityGroup":          authorizeRules(seed.Ingress),
		"AuthorizeSecurityGroupEgress":    authorizeRules(seed.Egress),
		"RevokeSecurityGroup":             revokeRules(seed.Ingress),
		"RevokeSecurityGroupEgress":       revokeRules(seed.Egress),
		"ModifySecurityGroupRule":         modifyRule(seed.Ingress),
		"ModifySecurityGroupEgressRule":   modifyRule(seed.Egress),
	}
}
