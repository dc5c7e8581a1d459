package seed

import (
	"fmt"
	"slices"
	"strings"
)

func (c *checker) checkInstance(path string, i Instance) Instance {
	c.checkID(path+".id", i.ID)
	vpc, known := c.home[i.VSwitch]
	switch {
	case !known:
		c.mistake(path+".vswitch", "%q is no vSwitch of the seed", i.VSwitch)
	case i.VPC != "" && i.VPC != vpc:
		c.mistake(path+".vpc", "%q is not the VPC of %s", i.VPC, i.VSwitch)
	}
	i = i.Clone().withDefaults(vpc)
	if !slices.Contains(InstanceStatuses(), i.Status) {
		c.mistake(path+".status", "%q is none of %s", i.Status, strings.Join(InstanceStatuses(), ", "))
	}
	if i.HTTPEndpoint != "enabled" && i.HTTPEndpoint != "disabled" {
		c.mistake(path+".httpEndpoint", "%q is neither enabled nor disabled", i.HTTPEndpoint)
	}
	if i.HTTPTokens != "optional" && i.HTTPTokens != "required" {
		c.mistake(path+".httpTokens", "%q is neither optional nor required", i.HTTPTokens)
	}
	c.checkInterface(path, i.Primary(), vpc)
	c.checkID(path+".eni", i.ENI)
	for n, f := range i.Interfaces {
		fp := fmt.Sprintf("%s.interfaces[%d]", path, n)
		c.checkID(fp+".id", f.ID)
		if _, ok := c.home[f.VSwitch]; ok && c.home[f.VSwitch] != vpc {
			c.mistake(fp+".vswitch", "%q is not in the VPC of the instance", f.VSwitch)
		}
		c.checkInterface(fp, f, vpc)
	}
	return i
}

// checkInterface checks the addresses and groups of an interface. An unknown vSwitch is told once,
// by whoever names it.
func (c *checker) checkInterface(path string, f Interface, vpc string) {
	sw, known := c.vswitches[f.VSwitch]
	for n, a := range f.Addresses() {
		at, in := path+".ip", sw.CIDR
		switch {
		case n > len(f.MoreIPs):
			at, in = fmt.Sprintf("%s.ipv6[%d]", path, n-1-len(f.MoreIPs)), sw.IPv6
		case n > 0:
			at = fmt.Sprintf("%s.moreIps[%d]", path, n-1)
		}
		if known && !in.Contains(a) {
			c.mistake(at, "%s is outside of %s", a, f.VSwitch)
		}
		if a.IsValid() {
			c.checkID(at, a.String())
		}
	}
	if f.MAC != "" {
		c.checkID(path+".mac", f.MAC)
	}
	for n, g := range f.SecurityGroups {
		gp := fmt.Sprintf("%s.securityGroups[%d]", path, n)
		switch {
		case c.groups[g] != vpc || vpc == "":
			c.mistake(gp, "%q is no security group of the VPC", g)
		case c.enterprise[g] != c.enterprise[f.SecurityGroups[0]]:
			c.mistake(gp, "%q is not of the type of the other groups", g)
		}
	}
}
