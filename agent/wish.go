package agent

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// wish works out what the host should be like. snapshot is nil before the registry was
// read for the first time.
//
// Forwarding is not turned on before Docker's first start: Docker would find it on and leave
// the policy of FORWARD at ACCEPT, which up to version 27 opens every container port to the
// whole network. Docker turns it on itself, and its chains or bridges show that it was there. Nor
// is it turned on while the policy is ACCEPT and Docker leaves the rest to the policy.
//
// Only subnets that the registry granted and that lie in a pool count: routes to a refused
// one lead to another host. Of the other hosts' subnets, one that overlaps a bridge of ours
// or contains our own address is left out, whatever the registry says. A host that holds no
// subnet is none of ours, or no longer: its address may be somebody else's by now.
func wish(f host.Facts, c Config, snapshot *api.Snapshot) host.Wish {
	self := c.Identity
	served := subnetsOf(c.Serve.bridges(f, hostOf(snapshot, self.Instance)))
	w := host.Wish{
		Uplink: f.Uplink, Forward: (f.Docker || len(served) > 0) && !exposes(f), Strict: c.Strict, Way: way(f), Leave: c.Leave,
		Incomplete: snapshot == nil || !snapshot.Complete(),
	}
	if snapshot == nil {
		return w
	}
	bridged := prefixesOf(subnetsOf(f.Bridges))
	keeps := keeper(f, *snapshot, self.Instance)
	for _, h := range snapshot.Hosts {
		switch {
		case h.Instance == self.Instance:
			var locals []netip.Prefix
			locals, w.KeepFrom = pick(h, keeps, func(p netip.Prefix) bool {
				return slices.Contains(prefixesOf(served), p) && pooled(p, snapshot.Config)
			})
			w.Locals = slices.DeleteFunc(served, func(l host.Local) bool { return !slices.Contains(locals, l.Prefix) })
		case isPeer(h, self):
			if h.IP.Is4() && h.IP != self.IP {
				w.Peers = append(w.Peers, h.IP)
			}
			remotes, keep := pick(h, keeps, func(p netip.Prefix) bool {
				return !overlapsAny(bridged, p) && !p.Contains(self.IP) && pooled(p, snapshot.Config)
			})
			w.Remotes, w.Keep = append(w.Remotes, remotes...), append(w.Keep, keep...)
		}
	}
	slices.SortFunc(w.Remotes, api.ComparePrefixes)
	slices.SortFunc(w.Keep, api.ComparePrefixes)
	slices.SortFunc(w.Peers, netip.Addr.Compare)
	return w
}

// isPeer reports whether a host is another one that holds subnets in our VPC.
func isPeer(h api.Host, self Identity) bool {
	return h.Instance != self.Instance && !h.Life.Withdraws() && len(h.Claims) > 0 && h.VPC == self.VPC
}

// exposes reports whether turning forwarding on would open containers to strangers: it is off, as
// an engine with "ip-forward": false leaves it.
func exposes(f host.Facts) bool { return !f.Forwarding && f.Exposed() }

// way is how packets get through Docker's own nft table. Marks are the robust way, but
// Docker must have been told to accept them.
func way(f host.Facts) host.Way {
	switch {
	case f.Native == nil:
		return host.WayNone
	case f.Native.Marks():
		return host.WayMark
	default:
		return host.WayRedirect
	}
}

func prefixesOf(locals []host.Local) []netip.Prefix {
	var all []netip.Prefix
	for _, l := range locals {
		all = append(all, l.Prefix)
	}
	return all
}

// pick takes those of a host's claims that fit, and of them those with a kept source.
func pick(h api.Host, keeps func(netip.Prefix, api.Host) bool, fits func(netip.Prefix) bool) (all, kept []netip.Prefix) {
	for _, c := range h.Claims {
		if !fits(c.Prefix) {
			continue
		}
		all = append(all, c.Prefix)
		if keeps(c.Prefix, h) {
			kept = append(kept, c.Prefix)
		}
	}
	return all, kept
}

func overlapsAny(all []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(all, p.Overlaps)
}

// pooled reports whether a prefix lies in a pool. Without a configuration there is none to
// hold it against.
func pooled(p netip.Prefix, config *api.Config) bool {
	return config == nil || covered(p, config.Pools)
}

// covered reports whether one of all contains the whole of p.
func covered(p netip.Prefix, all []netip.Prefix) bool {
	return slices.ContainsFunc(all, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) })
}

// keeper returns what tells whether the source address can be kept toward, or from, a
// subnet of a host: the host forwards, its route is written in all tables, and the cloud
// lets addresses through that are not the host's own. Both ends must pass. What is kept
// stays so when the other host falls silent; nothing new is begun on a silent one's word. What
// is lost by routes of our own is lost under any address; where another host's are at fault, it
// still reaches ours.
func keeper(f host.Facts, s api.Snapshot, self api.InstanceID) func(netip.Prefix, api.Host) bool {
	own := hostOf(&s, self)
	if s.Config == nil || s.Config.SourceMode != api.SourceKeep || own == nil || !own.Readiness.Forwarding || !own.Readiness.Rules {
		return func(netip.Prefix, api.Host) bool { return false }
	}
	type place struct {
		destination netip.Prefix
		host        api.InstanceID
	}
	passes := make(map[place]bool, len(s.Routes))
	for _, r := range s.Routes {
		written := r.Stage == api.StageWritten || r.Stage == api.StageVerified
		passes[place{r.Destination, r.Host}] = written && r.KeepSource
	}
	return func(p netip.Prefix, h api.Host) bool {
		vouched := h.Instance == self || h.Life == api.LifeAlive || covered(p, f.Kept)
		return vouched && h.Readiness.Ready() && passes[place{p, h.Instance}]
	}
}

// hostOf is the host's record; nil if there is none or nothing is known.
func hostOf(s *api.Snapshot, id api.InstanceID) *api.Host {
	if s == nil {
		return nil
	}
	for i, h := range s.Hosts {
		if h.Instance == id {
			return &s.Hosts[i]
		}
	}
	return nil
}
