package controller

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/controller/plan"
)

// uplink is the interface by which a host's containers are reached.
type uplink struct {
	cloud.Interface
	host  api.Host
	known bool // the cloud says that the instance has it
}

// uplinksOf are those of the hosts that the cloud knows and that are in service, in the order
// of the hosts.
func uplinksOf(hosts []api.Host, v view) []uplink {
	var all []uplink
	for _, h := range hosts {
		i, ok := v.instances[h.Instance]
		if !ok || h.Life.Withdraws() {
			continue
		}
		u, known := i.Uplink(h.Uplink)
		all = append(all, uplink{u, h, known})
	}
	return all
}

// passesSources reports whether an interface lets container traffic of all pools through, in
// and out, under its own addresses.
func passesSources(i cloud.Interface, pools []netip.Prefix) bool {
	return !i.SourceCheck && len(lacking(i.Admits, pools)) == 0 && len(lacking(i.Emits, pools)) == 0
}

// lacking returns the pools that the ranges do not cover.
func lacking(ranges, pools []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(pools), func(pool netip.Prefix) bool { return cloud.Covers(ranges, pool) })
}

// routable is what of a pool may carry routes: all that no vSwitch has and that is not reserved.
func routable(pool netip.Prefix, n cloud.Network) []netip.Prefix {
	taken := plan.Reserved()
	for _, s := range planVSwitches(n) {
		taken = append(taken, s.CIDR)
	}
	return cloud.Minus(pool, taken)
}

// planVSwitches are the ranges of vSwitches, of both families.
func planVSwitches(n cloud.Network) []plan.VSwitch {
	out := make([]plan.VSwitch, 0, 2*len(n.VSwitches))
	for _, s := range n.VSwitches {
		out = append(out, plan.VSwitch{ID: s.ID, CIDR: s.CIDR})
		if s.CIDR6.IsValid() {
			out = append(out, plan.VSwitch{ID: s.ID, CIDR: s.CIDR6})
		}
	}
	return out
}

// usedPools is what may carry routes of the pools from which a host in service has a subnet.
// Nothing else needs to be let through.
func usedPools(hosts []api.Host, n cloud.Network, pools []netip.Prefix) []netip.Prefix {
	var used []netip.Prefix
	for _, pool := range pools {
		parts := routable(pool, n)
		if slices.ContainsFunc(hosts, func(h api.Host) bool { return !h.Life.Withdraws() && len(subnetsIn(h, parts)) > 0 }) {
			used = append(used, parts...)
		}
	}
	return withoutCovered(used)
}

// withoutCovered leaves out ranges that lie in others of the list, so that nothing is said or opened twice.
func withoutCovered(ranges []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for i, p := range ranges {
		if !cloud.Covers(slices.Concat(out, ranges[i+1:]), p) {
			out = append(out, p)
		}
	}
	return out
}

// subnetsIn are the subnets that the registry gave to the host, as far as they lie in a range.
func subnetsIn(h api.Host, ranges []netip.Prefix) []netip.Prefix {
	var all []netip.Prefix
	for _, c := range h.Claims {
		if slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return r.Bits() <= c.Prefix.Bits() && r.Contains(c.Prefix.Addr()) }) {
			all = append(all, c.Prefix)
		}
	}
	return all
}

// reach is what the cloud surely does with packets between the subnets of hosts.
//
// A packet to a container arrives with the container's address as its destination, so the
// check of the receiving interface drops it whoever sent it. Its source is the sending
// container's address where sources are kept, which needs both interfaces to let all pools
// pass; else it is the sending host's own. So a sender's check drops nothing, and the groups
// of the receiver decide on the host's address, those of the sender on the destination.
type reach struct {
	peers  []peer // in the order of the hosts
	pools  []netip.Prefix
	config api.Config
}

// peer is a host whose containers may talk at this moment, and whose uplink could be read.
type peer struct {
	uplink
	subnets []netip.Prefix
	passes  bool // the cloud lets all pools through, and the cluster keeps sources
	masked  bool // the host cannot keep the sources of what it sends
}

// reachOf is the reach between the hosts of these uplinks.
func reachOf(all []uplink, pools []netip.Prefix, config api.Config) reach {
	r := reach{pools: pools, config: config}
	for _, u := range all {
		subnets := subnetsIn(u.host, pools)
		heard := u.host.Life == api.LifeAlive || u.host.Life == api.LifeSilent
		if !heard || !u.known || u.Unread || len(subnets) == 0 {
			continue
		}
		masked := slices.ContainsFunc(u.host.Findings, func(f api.Finding) bool { return f.Code == api.FindingSourceMasked })
		passes := config.SourceMode == api.SourceKeep && passesSources(u.Interface, pools)
		r.peers = append(r.peers, peer{u, subnets, passes, masked})
	}
	return r
}

// peerOf finds the peer of an uplink; nil if it is none, or has no group that could drop.
func (r reach) peerOf(u uplink) *peer {
	i := slices.IndexFunc(r.peers, func(p peer) bool { return p.host.Instance == u.host.Instance })
	if i < 0 || len(u.Groups) == 0 {
		return nil
	}
	return &r.peers[i]
}

// notAdmitted are the senders of which the groups of an uplink surely let nothing in.
func (r reach) notAdmitted(u uplink) []uplink {
	to := r.peerOf(u)
	if to == nil {
		return nil
	}
	var dropped []uplink
	for i := range r.peers {
		from := &r.peers[i]
		kept := from.passes && to.passes && !from.masked
		if from == to || kept || !from.IP.IsValid() {
			continue
		}
		if !cloud.Opens(to.MayAdmit, netip.PrefixFrom(from.IP, from.IP.BitLen()), from.Groups) {
			dropped = append(dropped, from.uplink)
		}
	}
	return dropped
}

// notEmitted are the receivers to some subnet of which the groups of an uplink surely let nothing
// out.
func (r reach) notEmitted(u uplink) []uplink {
	from := r.peerOf(u)
	if from == nil || len(lacking(from.Emits, r.pools)) == 0 {
		return nil
	}
	var dropped []uplink
	for i := range r.peers {
		to := &r.peers[i]
		if to != from && slices.ContainsFunc(to.subnets, func(p netip.Prefix) bool { return !cloud.Opens(from.MayEmit, p, nil) }) {
			dropped = append(dropped, to.uplink)
		}
	}
	return dropped
}
