package alisim

// Versions of the APIs, which tell the products apart.
const (
	vpcVersion = "2016-04-28"
	ecsVersion = "2014-05-26"
	stsVersion = "2015-04-01"

	locationVersion = "2015-06-12"
)

// handler does an action's work on the model. The caller holds Sim.mu.
type handler func(*Sim, *call) (reply, error)

// lookup finds the handler of an action. The VPC actions under the ECS version are those of
// the time before VPC was a product of its own; old clients still call them so.
func lookup(c *call) (handler, error) {
	var actions map[string]handler
	switch c.version {
	case vpcVersion:
		actions = vpcActions()
	case ecsVersion:
		actions = ecsActions()
	case stsVersion:
		actions = map[string]handler{"GetCallerIdentity": getCallerIdentity}
	case locationVersion:
		actions = map[string]handler{"DescribeEndpoints": describeEndpoints}
	case "":
		return nil, missing("Version")
	default:
		return nil, refuse("InvalidVersion")
	}
	if c.action == "" {
		return nil, missing("Action")
	}
	h, ok := actions[c.action]
	if !ok {
		return nil, refuse("InvalidAction.NotFound")
	}
	return h, nil
}

func vpcActions() map[string]handler {
	return map[string]handler{
		"DescribeVpcs":            describeVpcs,
		"DescribeVpcAttribute":    describeVpcAttribute,
		"DescribeVSwitches":       describeVSwitches,
		"DescribeVRouters":        describeVRouters,
		"DescribeRouteTableList":  describeRouteTableList,
		"DescribeRouteTables":     describeRouteTables,
		"DescribeRouteEntryList":  describeRouteEntryList,
		"GetVpcRouteEntrySummary": getVpcRouteEntrySummary,
		"CreateRouteEntry":        createRouteEntry,
		"CreateRouteEntries":      createRouteEntries,
		"DeleteRouteEntry":        deleteRouteEntry,
		"DeleteRouteEntries":      deleteRouteEntries,
		"ModifyRouteEntry":        modifyRouteEntry,
		"AssociateRouteTable":     associateRouteTable,
		"UnassociateRouteTable":   unassociateRouteTable,

		"ListVpcPublishedRouteEntries": listVpcPublishedRouteEntries,
	}
}

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

		"DescribeVpcs":        describeVpcs,
		"DescribeVSwitches":   describeVSwitches,
		"DescribeVRouters":    describeVRouters,
		"DescribeRouteTables": describeRouteTables,
		"CreateRouteEntry":    createRouteEntry,
		"DeleteRouteEntry":    deleteRouteEntry,
	}
}

// product is the name that goes with a version in hosts and permissions.
func product(version string) string {
	switch version {
	case ecsVersion:
		return "Ecs"
	case stsVersion:
		return "Sts"
	case locationVersion:
		return "Location"
	default:
		return "Vpc"
	}
}
