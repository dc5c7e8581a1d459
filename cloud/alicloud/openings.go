package alicloud

import (
	"net/netip"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

// openings are what the groups of one interface may let through in one direction, on ports at
// large. It errs on the other side than passingPeers: what is in no opening is surely dropped,
// but for single ports, since a rule that drops it comes first, or no rule accepts it.
func openings(way direction, groups ...group) []cloud.Opening {
	var rules []ecs.Permission
	closed := way == ingress
	for _, g := range groups {
		for _, r := range g.rules {
			if way.covers(r) {
				rules = append(rules, r)
			}
		}
		closed = closed || g.enterprise
	}
	var all []cloud.Opening
	add := func(peers []netip.Prefix, before int, members api.GroupID) {
		var left []netip.Prefix
		for _, p := range peers {
			left = append(left, cloud.Minus(p, way.dropsWhole(rules, before))...)
		}
		if len(left) > 0 {
			all = append(all, cloud.Opening{Peers: left, Group: members})
		}
	}
	for _, r := range rules {
		if strings.EqualFold(r.Policy, "accept") && cloud.AtLarge(r.IpProtocol, r.PortRange) {
			peers, members := way.mayAccept(r)
			add(peers, priorityOf(r), members)
		}
	}
	if !closed {
		add(everywhere(), weakest, "")
	}
	for _, g := range groups {
		if g.inner && way == ingress {
			add(everywhere(), weakest, g.id)
		}
	}
	return all
}

// mayAccept are the peers that a rule may be about: everywhere for a prefix list, whose
// content is not known here, and for another group all its members.
func (d direction) mayAccept(r ecs.Permission) (peers []netip.Prefix, members api.GroupID) {
	text, prefixList, _ := d.sidesOf(r)
	if peer, err := call.ParsePrefix(text); err == nil {
		return []netip.Prefix{peer}, ""
	}
	members = api.GroupID(r.SourceGroupId)
	if d == egress {
		members = api.GroupID(r.DestGroupId)
	}
	if text != "" || prefixList != "" {
		members = ""
	}
	return everywhere(), members
}

// dropsWhole are the peers that rules up to a priority drop on every port.
func (d direction) dropsWhole(rules []ecs.Permission, upTo int) []netip.Prefix {
	var peers []netip.Prefix
	for _, r := range rules {
		if !strings.EqualFold(r.Policy, "drop") || priorityOf(r) > upTo {
			continue
		}
		if cloud.AllPorts(r.IpProtocol, r.PortRange) {
			r.IpProtocol, r.PortRange = "ALL", everyPort // what else it lets pass is no connection
		}
		if peer, ok := d.isAbout(r); ok {
			peers = append(peers, peer)
		}
	}
	return peers
}
