package alisim

// ecsActions are the actions of ECS by their names.
func ecsActions() map[string]handler {
	return map[string]handler{
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
		"AuthorizeSecurityGroup":          authorize(Ingress),
		"AuthorizeSecurityGroupEgress":    authorize(Egress),
		"RevokeSecurityGroup":             revoke(Ingress),
		"RevokeSecurityGroupEgress":       revoke(Egress),
		"ModifySecurityGroupRule":         modifyRule(Ingress),
		"ModifySecurityGroupEgressRule":   modifyRule(Egress),
	}
}
