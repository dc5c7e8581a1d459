package alisim

import (
	"net/netip"
	"slices"
)

func describeInstances(w *world, c *call) (reply, error) {
	ids, err := c.array("InstanceIds")
	if err != nil {
		return nil, err
	}
	ips, err := c.array("PrivateIpAddresses")
	if err != nil {
		return nil, err
	}
	var found []*Instance
	for _, i := range w.instances {
		// An id that is not known is simply missing from the answer.
		if listed(ids, i.ID) && listed(ips, i.IP.String()) && c.matches("VpcId", i.VPC) && c.matches("VSwitchId", i.VSwitch) &&
			c.matches("Status", i.Status) && c.matches("ZoneId", w.zoneOf(i.VSwitch)) && c.matches("InstanceName", i.Name) &&
			(c.get("SecurityGroupId") == "" || slices.Contains(i.SecurityGroups, c.get("SecurityGroupId"))) && asksForInstance(c, i) {
			found = append(found, i)
		}
	}
	page, n, next, err := pageEither(c, found, 100)
	if err != nil {
		return nil, err
	}
	out := &instances{numbered: n, NextToken: next}
	options := slices.Contains(c.list("AdditionalAttributes"), "META_OPTIONS")
	out.Instances.Instance = mapped(page, func(i *Instance) instanceItem { return instanceShape(w, i, options) })
	return out, nil
}

// asksForInstance are the filters that are not about where an instance is.
func asksForInstance(c *call, i *Instance) bool {
	return c.tagged(i.Tags) && asksForIPv6(c, i.IPv6) && c.matches("InstanceType", instanceType) && c.matches("InstanceTypeFamily", "ecs.g7") &&
		c.matches("ImageId", imageID) && c.matches("InstanceNetworkType", "vpc") && c.matches("InstanceChargeType", "PostPaid") &&
		c.matches("HttpEndpoint", i.HTTPEndpoint) && c.matches("HttpTokens", i.HTTPTokens) && c.matches("HttpPutResponseHopLimit", "1") &&
		c.blank("ResourceGroupId", "KeyPairName", "HpcClusterId", "LockReason", "Filter", "InternetChargeType",
			"PublicIpAddresses", "EipAddresses", "InnerIpAddresses", "RdmaIpAddresses")
}

// asksForIPv6 is the filter for any of some IPv6 addresses.
func asksForIPv6(c *call, all []netip.Addr) bool {
	wanted := c.list("Ipv6Address")
	return wanted == nil || slices.ContainsFunc(all, func(ip netip.Addr) bool { return slices.Contains(wanted, ip.String()) })
}

func describeInstanceStatus(w *world, c *call) (reply, error) {
	ids := c.list("InstanceId")
	var found []*Instance
	for _, i := range w.instances {
		if listed(ids, i.ID) && c.matches("ZoneId", w.zoneOf(i.VSwitch)) && c.blank("ClusterId") {
			found = append(found, i)
		}
	}
	page, n, err := pageOf(c, found, vpcPage)
	if err != nil {
		return nil, err
	}
	out := &instanceStatuses{numbered: n}
	out.InstanceStatuses.InstanceStatus = mapped(page, func(i *Instance) instanceStatus { return instanceStatus{i.ID, i.Status} })
	return out, nil
}
