package alisim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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
			c.matches("Status", i.Status) && c.matches("ZoneId", s.world.zoneOf(i)) && c.matches("InstanceName", i.Name) &&
			(c.get("SecurityGroupId") == "" || slices.Contains(i.SecurityGroups, c.get("SecurityGroupId"))) {
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

// pageEither pages by token when MaxResults or NextToken is given, as ECS does beside its
// retiring page numbers. MaxResults outside of its range is pulled in, without an error.
func pageEither(c *call, all []*Instance, highest int) (page []*Instance, n numbered, next string, err error) {
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
		if listed(ids, i.ID) && c.matches("ZoneId", s.world.zoneOf(i)) {
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

func describeNetworkInterfaces(s *Sim, c *call) (reply, error) {
	ids := c.list("NetworkInterfaceId")
	ips := c.list("PrivateIpAddress")
	if len(ids) > 100 {
		return nil, illegal("NetworkInterfaceId")
	}
	var found []*Instance
	for _, i := range s.world.instances {
		if listed(ids, i.ENI) && listed(ips, i.IP.String()) && c.matches("InstanceId", i.ID) && c.matches("VpcId", i.VPC) &&
			c.matches("VSwitchId", i.VSwitch) && c.matches("Type", "Primary") && c.matches("Status", "InUse") &&
			c.matches("PrimaryIpAddress", i.IP.String()) && c.get("SecurityGroupId") == "" {
			found = append(found, i)
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

func modifyNetworkInterfaceAttribute(s *Sim, c *call) (reply, error) {
	id := c.get("NetworkInterfaceId")
	if id == "" {
		return nil, missing("NetworkInterfaceId")
	}
	i := find(s.world.instances, func(i *Instance) bool { return i.ENI == id })
	if i == nil {
		return nil, refuse("InvalidEniId.NotFound")
	}
	if text := c.get("SourceDestCheck"); text != "" {
		on, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return nil, illegal("SourceDestCheck")
		}
		i.SourceDestCheck = on
		s.wake()
	}
	return &body{}, nil
}

func describeSecurityGroupAttribute(s *Sim, c *call) (reply, error) {
	v, g := s.world.group(c.get("SecurityGroupId"))
	if g == nil {
		return nil, refuse("InvalidSecurityGroupId.NotFound")
	}
	size, err := c.clamped("MaxResults", 500, 10, 1000)
	if err != nil {
		return nil, err
	}
	rules := g.Ingress
	if !slices.Contains([]string{"", "all", "ingress"}, strings.ToLower(c.get("Direction"))) {
		rules = nil // the simulator keeps no egress rules: everything may leave
	}
	page, next, err := pageAfter(c, rules, size)
	if err != nil {
		return nil, err
	}
	out := &securityGroup{
		RegionID: s.world.region, VpcID: v.ID, SecurityGroupID: g.ID, SecurityGroupName: g.ID,
		InnerAccessPolicy: "Accept", NextToken: next,
	}
	out.Permissions.Permission = make([]permission, 0, len(page))
	for n, r := range page {
		out.Permissions.Permission = append(out.Permissions.Permission, r.permission(fmt.Sprintf("sgr-%s-%d", suffix(g.ID), n+1), s.world.born))
	}
	return out, nil
}

// authorizeSecurityGroup adds rules, given as Permissions.N or, the old way, as one rule at
// the top level. A rule that is there already is a silent success.
func authorizeSecurityGroup(s *Sim, c *call) (reply, error) {
	_, g := s.world.group(c.get("SecurityGroupId"))
	if g == nil {
		return nil, refuse("InvalidSecurityGroupId.NotFound")
	}
	items := c.items("Permissions")
	if len(items) == 0 {
		items = []item{{call: c}}
	}
	if len(items) > 100 {
		return nil, illegal("Permissions")
	}
	rules := make([]Rule, len(items))
	for i, it := range items {
		r, err := readRule(it)
		if err != nil {
			return nil, err
		}
		rules[i] = r
	}
	for _, r := range rules {
		if !slices.ContainsFunc(g.Ingress, func(o Rule) bool { o.Description = r.Description; return o == r }) {
			g.Ingress = append(g.Ingress, r)
		}
	}
	s.wake()
	return &body{}, nil
}

func readRule(it item) (Rule, error) {
	source, err := parseDestination(it.get("SourceCidrIp"))
	if err != nil {
		return Rule{}, illegal("SourceCidrIp")
	}
	if it.get("IpProtocol") == "" {
		return Rule{}, missing(it.prefix + "IpProtocol")
	}
	priority, err := strconv.Atoi(cmp.Or(it.get("Priority"), "1"))
	if err != nil || priority < 1 || priority > 100 {
		return Rule{}, illegal("Priority")
	}
	return Rule{
		Source: source, Protocol: it.get("IpProtocol"), Ports: it.get("PortRange"), Policy: it.get("Policy"),
		Priority: priority, Description: it.get("Description"),
	}.complete(), nil
}

// array reads the parameters that are one string holding a JSON array of at most 100.
func (c *call) array(name string) ([]string, error) {
	text := c.get(name)
	if text == "" {
		return nil, nil
	}
	out := []string{}
	if err := json.Unmarshal([]byte(text), &out); err != nil || len(out) > 100 {
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

func (w *world) zoneOf(i *Instance) string {
	if s := w.vswitch(i.VSwitch); s != nil {
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
