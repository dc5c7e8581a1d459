package controller

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// passage says which hosts the cloud keeps container traffic from, with the call that would
// change it.
func passage(hosts []api.Host, v view, config api.Config) []api.Finding {
	var out []api.Finding
	for _, u := range uplinks(hosts, v) {
		label := u.host.Label()
		if !u.known {
			out = append(out, api.Finding{
				Code: api.FindingHostMissing, Severity: api.Failure,
				Text: fmt.Sprintf("%s reports %q as its uplink, and the cloud knows no such interface of it: nothing new is written for it", label, u.host.Uplink),
				Fix:  "attach the interface, or correct the agent's --ip and restart it",
			})
			continue
		}
		if !slices.ContainsFunc(v.network.VSwitches, func(s cloud.VSwitch) bool { return s.ID == u.VSwitch }) {
			out = append(out, api.Finding{
				Code: api.FindingVSwitch, Severity: api.Failure,
				Text: fmt.Sprintf("%s is on vSwitch %s, which %s does not have: containers there reach nobody", label, u.VSwitch, v.network.VPC),
				Fix:  "serve that VPC with a controller of its own",
			})
		}
		if u.SourceCheck {
			out = append(out, api.Finding{
				Code: api.FindingSourceCheck, Severity: api.Warning,
				Text: fmt.Sprintf("the source/destination check of %s, interface %s, is on: the cloud drops what containers there send and receive under their own addresses", label, u.ID),
				Fix:  fmt.Sprintf("aliyun ecs ModifyNetworkInterfaceAttribute --NetworkInterfaceId %s --SourceDestCheck false, or let the controller do it: sealane-controller configure --manage %s", u.ID, managing(config, api.ManageSourceCheck)),
			})
		}
		out = append(out, narrow(u, config)...)
	}
	slices.SortStableFunc(out, func(a, b api.Finding) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return out
}

// narrow says which pools the security groups of an uplink do not let through.
func narrow(u uplink, config api.Config) []api.Finding {
	var out []api.Finding
	for _, way := range []struct {
		ranges           []netip.Prefix
		what, call, side string
	}{
		{u.Admits, "admit", "AuthorizeSecurityGroup", "Source"},
		{u.Emits, "let out", "AuthorizeSecurityGroupEgress", "Dest"},
	} {
		missing := lacking(way.ranges, config.Pools)
		if len(missing) == 0 {
			continue
		}
		group := "GROUP"
		if len(u.Groups) > 0 {
			group = string(u.Groups[0])
		}
		out = append(out, api.Finding{
			Code: api.FindingSecurityGroup, Severity: api.Warning,
			Text: fmt.Sprintf("the security groups of %s (%s) do not %s all of %s", u.host.Label(), join(u.Groups), way.what, join(missing)),
			Fix: fmt.Sprintf("aliyun ecs %s --SecurityGroupId %s%s, or let the controller do it: sealane-controller configure --manage %s",
				way.call, group, permissions(way.side, missing), managing(config, api.ManageSecurityGroup)),
		})
	}
	return out
}

// managing is the value of --manage, which replaces the list, with one more on it.
func managing(config api.Config, m api.Manage) string {
	if config.Manages(m) {
		return strings.Join(texts(config.Manage), ",")
	}
	return strings.Join(texts(append(slices.Clone(config.Manage), m)), ",")
}

// permissions are the parameters of a call that lets ranges through on every protocol and port.
func permissions(side string, ranges []netip.Prefix) string {
	var b strings.Builder
	for i, p := range ranges {
		field := side + "CidrIp"
		if p.Addr().Is6() {
			field = "Ipv6" + field
		}
		fmt.Fprintf(&b, " --Permissions.%d.%s %s --Permissions.%d.IpProtocol ALL --Permissions.%d.PortRange -1/-1", i+1, field, p, i+1, i+1)
	}
	return b.String()
}

func join[T any](list []T) string { return strings.Join(texts(list), ", ") }

func texts[T any](list []T) []string {
	var all []string
	for _, x := range list {
		all = append(all, fmt.Sprint(x))
	}
	return all
}
