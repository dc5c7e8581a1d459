package controller

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
)

// cloudFindings says from which hosts the cloud keeps container traffic, with the call that
// would change it, and which hosts cannot be said to be reached for that.
func cloudFindings(hosts []api.Host, v view, config api.Config) (out []api.Finding, blocked []api.Blocked) {
	all, pools := uplinksOf(hosts, v), usedPools(hosts, v.network, config.Pools)
	r := reachOf(all, pools, config)
	for _, u := range all {
		var found []api.Finding
		switch {
		case !u.known:
			found = append(found, uplinkUnknown(u))
		case u.Unread:
			found = append(found, gatesUnread(u))
			blocked = append(blocked, api.Blocked{Instance: u.host.Instance, Code: api.FindingGatesUnread})
		default:
			found = gateFindings(u, r)
		}
		if u.known && !v.hasVSwitch(u.VSwitch) {
			found = append(found, vSwitchUnknown(u, v.network.VPC))
		}
		if i := slices.IndexFunc(found, func(f api.Finding) bool { return f.Severity == api.Failure }); i >= 0 {
			blocked = append(blocked, api.Blocked{Instance: u.host.Instance, Code: found[i].Code})
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(a, b api.Finding) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return out, blocked
}

func uplinkUnknown(u uplink) api.Finding {
	return api.Finding{
		Code: api.FindingHostMissing, Severity: api.Failure,
		Text: fmt.Sprintf("%s reports %q as its uplink, and the cloud knows no such interface of it: nothing new is written for it", u.host.Label(), u.host.Uplink),
		Fix:  "attach the interface, or correct the agent's --ip and restart it",
	}
}

func vSwitchUnknown(u uplink, vpc api.VPCID) api.Finding {
	return api.Finding{
		Code: api.FindingVSwitch, Severity: api.Failure,
		Text: fmt.Sprintf("%s is on vSwitch %s, which %s does not have: containers there reach nobody", u.host.Label(), u.VSwitch, vpc),
		Fix:  "serve that VPC with a controller of its own",
	}
}

func gatesUnread(u uplink) api.Finding {
	return api.Finding{
		Code: api.FindingGatesUnread, Severity: api.Warning,
		Text: fmt.Sprintf("it is not known whether the cloud lets traffic to containers of %s pass: interface %s or its security groups (%s) could not be read", u.host.Label(), u.ID, textList(u.Groups)),
		Fix:  "give the controller all of the RAM policy deploy/policy/observe.json",
	}
}

// gateFindings are about the check and the security groups of an uplink.
func gateFindings(u uplink, r reach) []api.Finding {
	var out []api.Finding
	if u.SourceCheck {
		out = append(out, api.Finding{
			Code: api.FindingSourceCheck, Severity: api.Failure,
			Text: fmt.Sprintf("the source/destination check of %s, interface %s, is on: the cloud drops all that is sent to containers there, and what they send under their own addresses", u.host.Label(), u.ID),
			Fix:  fmt.Sprintf("aliyun ecs ModifyNetworkInterfaceAttribute --NetworkInterfaceId %s --SourceDestCheck false, or let the controller do it: sealane-controller configure --manage %s", u.ID, managing(r.config, api.ManageSourceCheck)),
		})
	}
	missing := lacking(u.Admits, r.pools)
	if r.config.SourceMode == api.SourceMasquerade {
		missing = nil // container addresses are never seen here
	}
	in := side{
		missing: missing, shut: r.notAdmitted(u), verb: "admit", call: "AuthorizeSecurityGroup", field: "Source",
		harm: "the cloud drops what containers of %s send to containers there",
	}
	for _, from := range in.shut {
		in.addresses = append(in.addresses, netip.PrefixFrom(from.IP, from.IP.BitLen()))
	}
	emits := side{
		missing: lacking(u.Emits, r.pools), shut: r.notEmitted(u), verb: "let out", call: "AuthorizeSecurityGroupEgress", field: "Dest",
		harm: "the cloud drops what containers there send to containers of %s",
	}
	return append(out, append(groupFindings(u, in, r.config), groupFindings(u, emits, r.config)...)...)
}

// side is one direction of what the security groups of an uplink do.
type side struct {
	missing           []netip.Prefix // pools that they do not let through as a whole
	shut              []uplink       // hosts from or to which they surely let nothing through
	addresses         []netip.Prefix // what these hosts' packets show
	verb, call, field string         // of the call that adds a rule
	harm              string         // what comes of it, for hosts
}

// groupFindings says what the security groups of an uplink do not let through. Packets surely
// die where hosts are shut out; else they pass under the hosts' addresses.
func groupFindings(u uplink, s side, config api.Config) []api.Finding {
	if len(s.missing) == 0 && len(s.shut) == 0 {
		return nil
	}
	group := "GROUP"
	if len(u.Groups) > 0 {
		group = string(u.Groups[0])
	}
	f := api.Finding{Code: api.FindingSecurityGroup, Severity: api.Warning}
	ranges := s.missing
	if len(ranges) == 0 {
		ranges = s.addresses
	}
	f.Text = fmt.Sprintf("the security groups of %s (%s) do not %s all of %s", u.host.Label(), textList(u.Groups), s.verb, textList(shorten(ranges)))
	f.Fix = fmt.Sprintf("aliyun ecs %s --SecurityGroupId %s%s", s.call, group, permissionParams(s.field, ranges))
	if len(s.missing) > 0 {
		f.Fix += ", or let the controller do it: sealane-controller configure --manage " + managing(config, api.ManageSecurityGroup)
	}
	if len(s.shut) > 0 {
		var labels []string
		for _, o := range s.shut {
			labels = append(labels, o.host.Label())
		}
		f.Severity = api.Failure
		f.Text += ": " + fmt.Sprintf(s.harm, textList(shorten(labels)))
	}
	return []api.Finding{f}
}

// shorten keeps a list of names readable.
func shorten[T any](list []T) []string {
	const shown = 5
	all := listTexts(list)
	if n := len(all) - shown; n > 0 {
		all = append(all[:shown:shown], fmt.Sprintf("%d more", n))
	}
	return all
}

// managing is the value of --manage, which replaces the list, with one more on it.
func managing(config api.Config, m api.Manage) string {
	if config.Manages(m) {
		return strings.Join(listTexts(config.Manage), ",")
	}
	return strings.Join(listTexts(append(slices.Clone(config.Manage), m)), ",")
}

// permissionParams are the parameters of a call that lets ranges through on every protocol and
// port. One call takes a hundred.
func permissionParams(side string, ranges []netip.Prefix) string {
	var b strings.Builder
	for i, p := range ranges[:min(len(ranges), 100)] {
		field := side + "CidrIp"
		if p.Addr().Is6() {
			field = "Ipv6" + field
		}
		fmt.Fprintf(&b, " --Permissions.%d.%s %s --Permissions.%d.IpProtocol ALL --Permissions.%d.PortRange -1/-1", i+1, field, p, i+1, i+1)
	}
	return b.String()
}

func textList[T any](list []T) string { return strings.Join(listTexts(list), ", ") }

func listTexts[T any](list []T) []string {
	var all []string
	for _, x := range list {
		all = append(all, fmt.Sprint(x))
	}
	return all
}
