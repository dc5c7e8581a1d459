package ecs

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

func describeInstances(w *world.World, c *call.Call) (call.Reply, error) {
	ids, err := c.Array("InstanceIds")
	if err != nil {
		return nil, err
	}
	ips, err := c.Array("PrivateIpAddresses")
	if err != nil {
		return nil, err
	}
	var found []*seed.Instance
	for _, i := range w.Instances {
		// An id that is not known is simply missing from the answer.
		if call.Listed(ids, i.ID) && call.Listed(ips, i.IP.String()) && c.Matches("VpcId", i.VPC) && c.Matches("VSwitchId", i.VSwitch) &&
			c.Matches("Status", i.Status) && c.Matches("ZoneId", w.ZoneOf(i.VSwitch)) && c.Matches("InstanceName", i.Name) &&
			(c.Param("SecurityGroupId") == "" || slices.Contains(i.SecurityGroups, c.Param("SecurityGroupId"))) && asksForInstance(c, i) {
			found = append(found, i)
		}
	}
	page, n, next, err := call.EitherPage(c, found, 100)
	if err != nil {
		return nil, err
	}
	out := &instances{Numbered: n, NextToken: next}
	options := slices.Contains(c.Scalars("AdditionalAttributes"), "META_OPTIONS")
	out.Instances.Instance = world.Mapped(page, func(i *seed.Instance) instanceItem { return instanceShape(w, i, options) })
	return out, nil
}

// asksForInstance are the filters that are not about where an instance is.
func asksForInstance(c *call.Call, i *seed.Instance) bool {
	return c.HasTags(i.Tags) && asksForIPv6(c, i.IPv6) && c.Matches("InstanceType", seed.InstanceType) && c.Matches("InstanceTypeFamily", "ecs.g7") &&
		c.Matches("ImageId", seed.ImageID) && c.Matches("InstanceNetworkType", "vpc") && c.Matches("InstanceChargeType", "PostPaid") &&
		c.Matches("HttpEndpoint", i.HTTPEndpoint) && c.Matches("HttpTokens", i.HTTPTokens) && c.Matches("HttpPutResponseHopLimit", "1") &&
		c.AreBlank("ResourceGroupId", "KeyPairName", "HpcClusterId", "LockReason", "Filter", "InternetChargeType",
			"PublicIpAddresses", "EipAddresses", "InnerIpAddresses", "RdmaIpAddresses")
}

// asksForIPv6 is the filter for any of some IPv6 addresses.
func asksForIPv6(c *call.Call, all []netip.Addr) bool {
	wanted := c.Scalars("Ipv6Address")
	return wanted == nil || slices.ContainsFunc(all, func(ip netip.Addr) bool { return slices.Contains(wanted, ip.String()) })
}

func describeInstanceStatus(w *world.World, c *call.Call) (call.Reply, error) {
	ids := c.Scalars("InstanceId")
	var found []*seed.Instance
	for _, i := range w.Instances {
		if call.Listed(ids, i.ID) && c.Matches("ZoneId", w.ZoneOf(i.VSwitch)) && c.AreBlank("ClusterId") {
			found = append(found, i)
		}
	}
	page, n, err := call.NumberedPage(c, found, call.LargestPage)
	if err != nil {
		return nil, err
	}
	out := &instanceStatuses{Numbered: n}
	out.InstanceStatuses.InstanceStatus = world.Mapped(page, func(i *seed.Instance) instanceStatus { return instanceStatus{i.ID, i.Status} })
	return out, nil
}

// deleteInstances releases machines, all or none: one that a route sends to is kept, and so
// is a running one without Force.
func deleteInstances(w *world.World, c *call.Call) (call.Reply, error) {
	ids := c.Scalars("InstanceId")
	if id := c.Param("InstanceId"); id != "" {
		ids = []string{id}
	}
	if len(ids) == 0 {
		return nil, world.MissingParameter("InstanceId")
	}
	for _, id := range ids {
		i := w.Instance(id)
		switch {
		case i == nil:
			return nil, world.NewRefusal("InvalidInstanceId.NotFound")
		case len(w.EntriesTo(i)) > 0:
			return nil, world.NewRefusal("DependencyViolation.RouteEntry")
		case i.Status != seed.Stopped && !strings.EqualFold(c.Param("Force"), "true"):
			return nil, world.NewRefusal("IncorrectInstanceStatus")
		}
	}
	for _, id := range ids {
		w.DropInstance(id)
	}
	w.Touch()
	return &call.Body{}, nil
}

// modifyInstanceMetadataOptions says whether the metadata service wants a token, and
// whether it answers at all.
func modifyInstanceMetadataOptions(w *world.World, c *call.Call) (call.Reply, error) {
	i := w.Instance(c.Param("InstanceId"))
	tokens, endpoint := c.Param("HttpTokens"), c.Param("HttpEndpoint")
	switch {
	case c.Param("InstanceId") == "":
		return nil, world.MissingParameter("InstanceId")
	case i == nil:
		return nil, world.NewRefusal("InvalidInstanceId.NotFound")
	case !slices.Contains([]string{"", "optional", "required"}, tokens):
		return nil, malformedParameter("HttpTokens")
	case !slices.Contains([]string{"", "enabled", "disabled"}, endpoint):
		return nil, malformedParameter("HttpEndpoint")
	}
	if tokens != "" {
		i.HTTPTokens = tokens
	}
	if endpoint != "" {
		i.HTTPEndpoint = endpoint
	}
	return &call.Body{}, nil
}
