package vpc

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
)

func describeVpcs(w *world.World, c *call.Call) (call.Reply, error) {
	ids := commaList(c.Param("VpcId"))
	if len(ids) > 20 {
		return nil, world.IllegalParameter("VpcId")
	}
	var found []*world.VPC
	for _, v := range w.VPCs {
		if (len(ids) == 0 || slices.Contains(ids, v.ID)) && c.Matches("VpcName", v.Name) && c.Matches("IsDefault", "false") &&
			c.Matches("EnableIpv6", strconv.FormatBool(v.IPv6.IsValid())) && c.Matches("VpcOwnerId", w.Account) && c.HasTags(v.Tags) &&
			c.AreBlank("ResourceGroupId", "DhcpOptionsSetId") {
			found = append(found, v)
		}
	}
	page, n, err := call.NumberedPage(c, found, call.LargestPage)
	if err != nil {
		return nil, err
	}
	out := &vpcs{Numbered: n}
	out.Vpcs.Vpc = world.Mapped(page, func(v *world.VPC) vpcItem { return vpcShape(w, v) })
	return out, nil
}

func describeVpcAttribute(w *world.World, c *call.Call) (call.Reply, error) {
	if c.Param("VpcId") == "" {
		return nil, world.MissingParameter("VpcId")
	}
	v := w.VPC(c.Param("VpcId"))
	if v == nil {
		return nil, world.NewRefusal("InvalidVpcId.NotFound")
	}
	return attributeShape(w, v), nil
}

func describeVSwitches(w *world.World, c *call.Call) (call.Reply, error) {
	if c.Param("VpcId") == "" && c.Param("RegionId") == "" {
		return nil, world.MissingParameter("RegionId")
	}
	ids := commaList(c.Param("VSwitchId"))
	var found []*world.VSwitch
	for _, sw := range w.AllVSwitches() {
		if c.Matches("VpcId", sw.VPC.ID) && c.Matches("ZoneId", sw.Zone) && c.Matches("RouteTableId", sw.Uses.ID) &&
			(len(ids) == 0 || slices.Contains(ids, sw.ID)) && c.Matches("VSwitchName", sw.Name) && c.Matches("IsDefault", "false") &&
			c.Matches("EnableIpv6", strconv.FormatBool(sw.IPv6.IsValid())) && c.Matches("VSwitchOwnerId", w.Account) &&
			c.HasTags(sw.Tags) && c.AreBlank("ResourceGroupId") {
			found = append(found, sw)
		}
	}
	page, n, err := call.NumberedPage(c, found, call.LargestPage)
	if err != nil {
		return nil, err
	}
	out := &vswitchList{Numbered: n}
	out.VSwitches.VSwitch = world.Mapped(page, func(s *world.VSwitch) vswitchItem { return vswitchShape(w, s) })
	return out, nil
}

// describeVRouters serves clients of the time before DescribeRouteTableList.
func describeVRouters(w *world.World, c *call.Call) (call.Reply, error) {
	var found []*world.VPC
	for _, v := range w.VPCs {
		if c.Matches("VRouterId", v.VRouter) {
			found = append(found, v)
		}
	}
	page, n, err := call.NumberedPage(c, found, call.LargestPage)
	if err != nil {
		return nil, err
	}
	out := &vrouters{Numbered: n}
	out.VRouters.VRouter = world.Mapped(page, func(v *world.VPC) vrouter { return vrouterShape(w, v) })
	return out, nil
}

// commaList is the parts of "a,b,c"; none of "".
func commaList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
