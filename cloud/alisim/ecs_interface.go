package alisim

import (
	"slices"
	"strconv"
	"strings"
)

func describeNetworkInterfaces(s *Sim, c *call) (reply, error) {
	ids, ips := c.list("NetworkInterfaceId"), c.list("PrivateIpAddress")
	if len(ids) > 100 {
		return nil, illegal("NetworkInterfaceId")
	}
	var found []nic
	for _, n := range s.world.nics() {
		f := n.Interface
		if listed(ids, f.ID) && (ips == nil || slices.ContainsFunc(ips, f.has)) && c.matches("InstanceId", n.Instance.ID) &&
			c.matches("VpcId", n.VPC) && c.matches("VSwitchId", f.VSwitch) && c.matches("Type", interfaceKind(n.primary)) &&
			c.matches("Status", "InUse") && c.matches("PrimaryIpAddress", f.IP.String()) && n.inGroup(c.get("SecurityGroupId")) &&
			c.tagged(f.Tags) && c.hasIPv6(f.IPv6) && c.matches("ServiceManaged", "false") && c.blank("ResourceGroupId", "NetworkInterfaceName") {
			found = append(found, n)
		}
	}
	page, n, next, err := pageEither(c, found, 500)
	if err != nil {
		return nil, err
	}
	out := &networkInterfaces{numbered: n, NextToken: next}
	out.NetworkInterfaceSets.NetworkInterfaceSet = mapped(page, s.world.networkInterface)
	return out, nil
}

// has reports whether an IPv4 address is the interface's.
func (f Interface) has(ip string) bool {
	return slices.ContainsFunc(f.privateIPs(nil).PrivateIPSet, func(p privateIP) bool { return p.PrivateIPAddress == ip })
}

// inGroup is the filter by security group, which finds secondary interfaces only.
func (n nic) inGroup(group string) bool {
	return group == "" || !n.primary && slices.Contains(n.Interface.SecurityGroups, group)
}

// modifyNetworkInterfaceAttribute changes the check of source and destination and the
// security groups, at once.
func modifyNetworkInterfaceAttribute(s *Sim, c *call) (reply, error) {
	id := c.get("NetworkInterfaceId")
	if id == "" {
		return nil, missing("NetworkInterfaceId")
	}
	n, ok := s.world.nic(id)
	if !ok {
		return nil, refuse("InvalidEniId.NotFound")
	}
	groups := c.list("SecurityGroupId")
	if err := s.world.joinable(n.VPC, groups); err != nil {
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
	s.wake()
	return &body{}, nil
}

// joinable says whether an interface in a VPC may be in these groups: they are there, and of
// one type.
func (w *world) joinable(vpc string, groups []string) error {
	kind := ""
	for _, id := range groups {
		v, g := w.group(id)
		switch {
		case g == nil || v.ID != vpc:
			return refuse("InvalidSecurityGroupId.NotFound")
		case kind != "" && kind != g.Type:
			return refuse("InvalidOperation.MultiGroupTypes")
		}
		kind = g.Type
	}
	return nil
}
