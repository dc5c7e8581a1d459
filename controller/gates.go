package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// A gate is what holds container traffic back beside route tables: an interface's
// source/destination check, or a security group.

// passes reports whether an interface lets container traffic of all pools through, in and out,
// under its own addresses.
func passes(uplink cloud.Interface, pools []netip.Prefix) bool {
	return !uplink.SourceCheck && len(lacking(uplink.Admits, pools)) == 0 && len(lacking(uplink.Emits, pools)) == 0
}

// lacking returns the pools that the ranges do not cover.
func lacking(ranges, pools []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(pools), func(pool netip.Prefix) bool { return cloud.Covers(ranges, pool) })
}

// uplinkOf is the secondary interface that a route leads to; empty for the primary one.
func uplinkOf(r api.Route) api.InterfaceID {
	if r.HopType == api.HopInterface {
		return api.InterfaceID(r.NextHop)
	}
	return ""
}

// locked remembers closed gates, and when it was last tried to open each.
type locked map[string]failure

type failure struct {
	at  time.Time
	err error // nil: it was opened, so far as the cloud says
}

const (
	gatesPerPass = 20               // so that a large cluster's gates do not keep routes waiting
	gateRetry    = 10 * time.Minute // a gate that the cloud refuses to open is seldom a matter of seconds
)

// opening is what came of opening gates.
type opening struct {
	any    bool              // one was opened
	checks []api.InterfaceID // interfaces whose source/destination check was switched off
	more   bool              // some are left for the next pass
}

// open opens the gates of the cluster's hosts, as far as an operator said so.
func (c *Controller) open(ctx context.Context, hosts []api.Host, v view, config api.Config) (o opening) {
	if c.gates == nil || len(config.Manage) == 0 || config.Policy == api.PolicyObserve || config.Validate() != nil {
		c.locked = nil
		return o
	}
	before := c.locked
	c.locked = locked{} // what is no longer closed is forgotten
	tries := 0
	for _, g := range closedOf(uplinks(hosts, v), config, c.config.Cluster) {
		last, known := before[g.name]
		switch {
		case known && time.Since(last.at) < gateRetry:
			last.err = cmp.Or(last.err, errStillShut)
			c.locked[g.name] = last
		case tries == gatesPerPass || ctx.Err() != nil:
			o.more = ctx.Err() == nil
		default:
			tries++
			last = failure{time.Now(), g.open(ctx, c.gates)}
			c.locked[g.name] = last
			if last.err == nil {
				o.any = true
				c.log.Info("gate opened", api.KeyGate, g.name)
				if g.check != "" {
					o.checks = append(o.checks, g.check)
				}
			}
		}
	}
	return o
}

// errStillShut is for a gate that was opened and still lets nothing through, for example
// since another group of the interface drops what the first one accepts now.
var errStillShut = errors.New("it was opened, and something else still keeps packets back: look at the other rules and groups")

// closedOf are the closed gates of all uplinks, each once: hosts share groups.
func closedOf(all []uplink, config api.Config, cluster string) []gate {
	var gates []gate
	seen := map[string]bool{}
	for _, u := range all {
		for _, g := range closed(u, config, cluster) {
			if !seen[g.name] {
				gates = append(gates, g)
			}
			seen[g.name] = true
		}
	}
	return gates
}

// gate is one that is closed, and how it is opened.
type gate struct {
	name  string
	check api.InterfaceID // of a source/destination check
	open  func(context.Context, cloud.Gates) error
}

// closed are the gates of an uplink that are closed and that the controller may open. Of
// several groups, whose rules count together, one gets the rule: the first by id.
func closed(u uplink, config api.Config, cluster string) []gate {
	var gates []gate
	if u.SourceCheck && config.Manages(api.ManageSourceCheck) {
		gates = append(gates, gate{
			"the source/destination check of " + string(u.ID), u.ID,
			func(ctx context.Context, g cloud.Gates) error { return g.SetSourceCheck(ctx, u.ID, false) },
		})
	}
	narrow := len(lacking(u.Admits, config.Pools))+len(lacking(u.Emits, config.Pools)) > 0
	if narrow && len(u.Groups) > 0 && config.Manages(api.ManageSecurityGroup) {
		group := u.Groups[0]
		gates = append(gates, gate{
			"security group " + string(group), "",
			func(ctx context.Context, g cloud.Gates) error { return g.Admit(ctx, group, cluster, config.Pools) },
		})
	}
	return gates
}

// uplink is the interface by which a host's containers are reached.
type uplink struct {
	cloud.Interface
	host     api.Host
	instance cloud.Instance
}

// uplinks are those of the hosts that the cloud knows and that are in service, in the order of
// the hosts.
func uplinks(hosts []api.Host, v view) []uplink {
	var all []uplink
	for _, h := range hosts {
		i, ok := v.instances[h.Instance]
		if !ok || h.Life.Withdraws() {
			continue
		}
		u, known := i.Uplink(h.Uplink)
		if !known {
			u = cloud.Interface{ID: h.Uplink, VSwitch: h.VSwitch, SourceCheck: true} // as careful as can be
		}
		all = append(all, uplink{u, h, i})
	}
	return all
}

// passage says which hosts the cloud keeps container traffic from, with the call that would
// change it.
func passage(hosts []api.Host, v view, config api.Config) []api.Finding {
	var out []api.Finding
	for _, u := range uplinks(hosts, v) {
		label := u.host.Label()
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
				Fix:  fmt.Sprintf("aliyun ecs ModifyNetworkInterfaceAttribute --NetworkInterfaceId %s --SourceDestCheck false, or let the controller do it: sealane-controller configure --manage %s", u.ID, api.ManageSourceCheck),
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
				way.call, group, permissions(way.side, missing), api.ManageSecurityGroup),
		})
	}
	return out
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

func join[T any](list []T) string {
	var texts []string
	for _, x := range list {
		texts = append(texts, fmt.Sprint(x))
	}
	return strings.Join(texts, ", ")
}

// problems says which gates could not be opened.
func (l locked) problems() []api.Finding {
	var out []api.Finding
	for name, f := range l {
		if f.err == nil {
			continue
		}
		fix := "open it by hand, or take it off --manage"
		if errors.Is(f.err, api.ErrDenied) {
			fix = "give the controller the RAM policy of deploy/policy for it, or take it off --manage"
		}
		out = append(out, api.Finding{
			Code: api.FindingManage, Severity: api.Warning, Text: fmt.Sprintf("%s is not open: %v", name, f.err), Fix: fix,
		})
	}
	slices.SortFunc(out, func(a, b api.Finding) int { return strings.Compare(a.Text, b.Text) })
	return out
}
