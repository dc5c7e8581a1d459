package ecs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

func describeNetworkInterfaces(w *world.World, c *call.Call) (call.Reply, error) {
	ids, ips := c.Scalars("NetworkInterfaceId"), c.Scalars("PrivateIpAddress")
	if len(ids) > 100 {
		return nil, world.IllegalParameter("NetworkInterfaceId")
	}
	var found []world.NIC
	for _, n := range w.NICs() {
		f := n.Interface
		if call.Listed(ids, f.ID) && (ips == nil || slices.ContainsFunc(ips, func(ip string) bool { return slices.Contains(f.IPv4(), ip) })) && c.Matches("InstanceId", n.Instance.ID) &&
			c.Matches("VpcId", n.VPC) && c.Matches("VSwitchId", f.VSwitch) && c.Matches("Type", interfaceKind(n.IsPrimary)) &&
			c.Matches("Status", "InUse") && c.Matches("PrimaryIpAddress", f.IP.String()) && secondaryIn(n, c.Param("SecurityGroupId")) &&
			c.HasTags(f.Tags) && asksForIPv6(c, f.IPv6) && c.Matches("ServiceManaged", "false") && c.AreBlank("ResourceGroupId", "NetworkInterfaceName") {
			found = append(found, n)
		}
	}
	page, n, next, err := call.EitherPage(c, found, 500)
	if err != nil {
		return nil, err
	}
	out := &networkInterfaces{Numbered: n, NextToken: next}
	out.NetworkInterfaceSets.NetworkInterfaceSet = world.Mapped(page, func(n world.NIC) networkInterface { return interfaceShape(w, n) })
	return out, nil
}

// secondaryIn is the filter by security group, which finds secondary interfaces only.
func secondaryIn(n world.NIC, group string) bool {
	return group == "" || !n.IsPrimary && slices.Contains(n.Interface.SecurityGroups, group)
}

// modifyNetworkInterfaceAttribute changes the check of source and destination and the
// security groups, at once.
func modifyNetworkInterfaceAttribute(w *world.World, c *call.Call) (call.Reply, error) {
	id := c.Param("NetworkInterfaceId")
	if id == "" {
		return nil, world.MissingParameter("NetworkInterfaceId")
	}
	n, ok := w.NIC(id)
	if !ok {
		return nil, world.NewRefusal("InvalidEniId.NotFound")
	}
	groups := c.Scalars("SecurityGroupId")
	if err := w.CheckGroups(n.VPC, groups); err != nil {
		return nil, err
	}
	check := n.Interface.SourceDestCheck
	if text := c.Param("SourceDestCheck"); text != "" {
		on, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return nil, world.IllegalParameter("SourceDestCheck")
		}
		check = on
	}
	n.EditInterface(id, func(f *seed.Interface) {
		f.SourceDestCheck = check
		if len(groups) > 0 {
			f.SecurityGroups = groups
		}
	})
	w.Touch()
	return &call.Body{}, nil
}
