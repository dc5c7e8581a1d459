package alisim

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
)

func describeInstances(s *Sim, c *call) (reply, error) {
	ids, err := c.array("InstanceIds")
	if err != nil {
		return nil, err
	}
	ips, err := c.array("PrivateIpAddresses")
	if err != nil {
		return nil, err
	}
	var found []*Instance
	for _, i := range s.world.instances {
		// An id that is not known is simply missing from the answer.
		if listed(ids, i.ID) && listed(ips, i.IP.String()) && c.matches("VpcId", i.VPC) && c.matches("VSwitchId", i.VSwitch) &&
			c.matches("Status", i.Status) && c.matches("ZoneId", s.world.zoneOf(i.VSwitch)) && c.matches("InstanceName", i.Name) &&
			(c.get("SecurityGroupId") == "" || slices.Contains(i.SecurityGroups, c.get("SecurityGroupId"))) && c.ofInstance(i) {
			found = append(found, i)
		}
	}
	page, n, next, err := pageEither(c, found, 100)
	if err != nil {
		return nil, err
	}
	out := &instances{numbered: n, NextToken: next}
	options := slices.Contains(c.list("AdditionalAttributes"), "META_OPTIONS")
	out.Instances.Instance = mapped(page, func(i *Instance) instanceItem { return s.world.instanceItem(i, options) })
	return out, nil
}

// ofInstance are the filters that are not about where an instance is.
func (c *call) ofInstance(i *Instance) bool {
	return c.tagged(i.Tags) && c.hasIPv6(i.IPv6) && c.matches("InstanceType", instanceType) && c.matches("InstanceTypeFamily", "ecs.g7") &&
		c.matches("ImageId", imageID) && c.matches("InstanceNetworkType", "vpc") && c.matches("InstanceChargeType", "PostPaid") &&
		c.matches("HttpEndpoint", i.HTTPEndpoint) && c.matches("HttpTokens", i.HTTPTokens) && c.matches("HttpPutResponseHopLimit", "1") &&
		c.blank("ResourceGroupId", "KeyPairName", "HpcClusterId", "LockReason", "Filter", "InternetChargeType",
			"PublicIpAddresses", "EipAddresses", "InnerIpAddresses", "RdmaIpAddresses")
}

// hasIPv6 is the filter for any of some IPv6 addresses.
func (c *call) hasIPv6(all []netip.Addr) bool {
	wanted := c.list("Ipv6Address")
	return wanted == nil || slices.ContainsFunc(all, func(ip netip.Addr) bool { return slices.Contains(wanted, ip.String()) })
}

// pageEither pages by token when MaxResults or NextToken is given, as ECS does beside its
// retiring page numbers. MaxResults outside of its range is pulled in, without an error.
func pageEither[T any](c *call, all []T, highest int) (page []T, n numbered, next string, err error) {
	if c.get("MaxResults") == "" && c.get("NextToken") == "" {
		page, n, err = pageOf(c, all, highest)
		return page, n, "", err
	}
	size, err := c.clamped("MaxResults", 10, 10, highest)
	if err != nil {
		return nil, n, "", err
	}
	page, next, err = pageAfter(c, all, size)
	return page, numbered{TotalCount: len(all)}, next, err
}

func describeInstanceStatus(s *Sim, c *call) (reply, error) {
	ids := c.list("InstanceId")
	var found []*Instance
	for _, i := range s.world.instances {
		if listed(ids, i.ID) && c.matches("ZoneId", s.world.zoneOf(i.VSwitch)) && c.blank("ClusterId") {
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

// array reads the parameters that are one string holding a JSON array of at most 100.
func (c *call) array(name string) ([]string, error) {
	text := c.get(name)
	if text == "" {
		return nil, nil
	}
	out := []string{}
	if err := json.Unmarshal([]byte(text), &out); err != nil || out == nil || len(out) > 100 {
		r := refuse("InvalidParameter")
		r.message = "The specified " + name + " is not a JSON array of at most 100."
		return nil, r
	}
	return out, nil
}

// listed reports whether a filter is absent or has the value in it.
func listed(filter []string, value string) bool {
	return filter == nil || slices.Contains(filter, value)
}

func (w *world) zoneOf(vswitch string) string {
	if s := w.vswitch(vswitch); s != nil {
		return s.Zone
	}
	return w.zone
}

const (
	instanceType = "ecs.g7.large"
	imageID      = "aliyun_3_x64_20G_alibase_sim.vhd"
)

// serialNumber is made from the address, which no two instances share.
func (i *Instance) serialNumber() string {
	b := netip.AddrFrom4([4]byte{}).As4()
	if i.IP.Is4() {
		b = i.IP.As4()
	}
	return fmt.Sprintf("00000000-0000-4000-8000-0000%x", b)
}
