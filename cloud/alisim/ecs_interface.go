package alisim

import (
	"slices"
	"strconv"
	"strings"
)

func describeNetworkInterfaces(w *world, c *call) (reply, error) {
	ids, ips := c.list("NetworkInterfaceId"), c.list("PrivateIpAddress")
	if len(ids) > 100 {
		return nil, illegal("NetworkInterfaceId")
	}
	var found []nic
	for _, n := range w.nics() {
		f := n.Interface
		if listed(ids, f.ID) && (ips == nil || slices.ContainsFunc(ips, func(ip string) bool { return slices.Contains(f.IPv4(), ip) })) && c.matches("InstanceId", n.Instance.ID) &&
			c.matches("VpcId", n.VPC) && c.matches("VSwitchId", f.VSwitch) && c.matches("Type", interfaceKind(n.primary)) &&
			c.matches("Status", "InUse") && c.matches("PrimaryIpAddress", f.IP.String()) && secondaryIn(n, c.get("SecurityGroupId")) &&
			c.tagged(f.Tags) && asksForIPv6(c, f.IPv6) && c.matches("ServiceManaged", "false") && c.blank("ResourceGroupId", "NetworkInterfaceName") {
			found = append(found, n)
		}
	}
	page, n, next, err := pageEither(c, found, 500)
	if err != nil {
		return nil, err
	}
	out := &networkInterfaces{numbered: n, NextToken: next}
	out.NetworkInterfaceSets.NetworkInterfaceSet = mapped(page, func(n nic) networkInterface { return interfaceShape(w, n) })
	return out, nil
}

// secondaryIn is the filter by security group, which finds secondary interfaces only.
func secondaryIn(n nic, group string) bool {
	return group == "" || !n.primary && slices.Contains(n.Interface.SecurityGroups, group)
}

// modifyNetworkInterfaceAttribute changes the check of source and destination and the
// security groups, at once.
func modifyNetworkInterfaceAttribute(w *world, c *call) (reply, error) {
	id := c.get("NetworkInterfaceId")
	if id == "" {
		return nil, missing("NetworkInterfaceId")
	}
	n, ok := w.nic(id)
	if !ok {
		return nil, refuse("InvalidEniId.NotFound")
	}
	groups := c.list("SecurityGroupId")
	if err := w.joinable(n.VPC, groups); err != nil {
		return nil, err
	}
	check := n.Interface.SourceDestCheck
	if text := c.get("SourceDestCheck"); text != "" {
		on, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return nil, illegal("SourceDestCheck")
		}
		check = on
	}
	n.edit(id, func(f *Interface) {
		f.SourceDestCheck = check
		if len(groups) > 0 {
			f.SecurityGroups = groups
		}
	})
	w.touch()
	return &body{}, nil
}
