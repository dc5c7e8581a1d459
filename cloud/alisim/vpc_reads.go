package alisim

import (
	"slices"
	"strconv"
	"strings"
)

func describeVpcs(w *world, c *call) (reply, error) {
	ids := commaList(c.get("VpcId"))
	if len(ids) > 20 {
		return nil, illegal("VpcId")
	}
	var found []*vpc
	for _, v := range w.vpcs {
		if (len(ids) == 0 || slices.Contains(ids, v.ID)) && c.matches("VpcName", v.Name) && c.matches("IsDefault", "false") &&
			c.matches("EnableIpv6", strconv.FormatBool(v.IPv6.IsValid())) && c.matches("VpcOwnerId", w.account) && c.tagged(v.Tags) &&
			c.blank("ResourceGroupId", "DhcpOptionsSetId") {
			found = append(found, v)
		}
	}
	page, n, err := pageOf(c, found, vpcPage)
	if err != nil {
		return nil, err
	}
	out := &vpcs{numbered: n}
	out.Vpcs.Vpc = mapped(page, func(v *vpc) vpcItem { return vpcShape(w, v) })
	return out, nil
}

func describeVpcAttribute(w *world, c *call) (reply, error) {
	if c.get("VpcId") == "" {
		return nil, missing("VpcId")
	}
	v := w.vpc(c.get("VpcId"))
	if v == nil {
		return nil, refuse("InvalidVpcId.NotFound")
	}
	return attributeShape(w, v), nil
}

func describeVSwitches(w *world, c *call) (reply, error) {
	if c.get("VpcId") == "" && c.get("RegionId") == "" {
		return nil, missing("RegionId")
	}
	ids := commaList(c.get("VSwitchId"))
	var found []*vswitch
	for _, sw := range w.vswitches() {
		if c.matches("VpcId", sw.vpc.ID) && c.matches("ZoneId", sw.Zone) && c.matches("RouteTableId", sw.table.ID) &&
			(len(ids) == 0 || slices.Contains(ids, sw.ID)) && c.matches("VSwitchName", sw.Name) && c.matches("IsDefault", "false") &&
			c.matches("EnableIpv6", strconv.FormatBool(sw.IPv6.IsValid())) && c.matches("VSwitchOwnerId", w.account) &&
			c.tagged(sw.Tags) && c.blank("ResourceGroupId") {
			found = append(found, sw)
		}
	}
	page, n, err := pageOf(c, found, vpcPage)
	if err != nil {
		return nil, err
	}
	out := &vswitchList{numbered: n}
	out.VSwitches.VSwitch = mapped(page, func(s *vswitch) vswitchItem { return vswitchShape(w, s) })
	return out, nil
}

// describeVRouters serves clients of the time before DescribeRouteTableList.
func describeVRouters(w *world, c *call) (reply, error) {
	var found []*vpc
	for _, v := range w.vpcs {
		if c.matches("VRouterId", v.VRouter) {
			found = append(found, v)
		}
	}
	page, n, err := pageOf(c, found, vpcPage)
	if err != nil {
		return nil, err
	}
	out := &vrouters{numbered: n}
	out.VRouters.VRouter = mapped(page, func(v *vpc) vrouter { return vrouterShape(w, v) })
	return out, nil
}

// commaList is the parts of "a,b,c"; none of "".
func commaList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
