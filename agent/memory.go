package agent

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// memory is what of the registry outlives a restart.
type memory struct {
	last    recalled
	at      time.Time // when it was last written
	trouble lastText
}

// recalled is what was remembered.
type recalled host.Peers

// recall reads what a former agent of this host remembered. One of another instance came
// with a copied disk and says nothing. One of another cluster says that what is in place
// here is that cluster's: it would be taken away as soon as this cluster knows the host.
func (a *Agent) recall() error {
	if a.config.Memory == nil {
		return nil
	}
	p, err := a.config.Memory.RecallPeers()
	switch {
	case err != nil:
		a.log.Warn("it is not known what the registry last said", api.KeyError, err)
	case p.Instance != a.config.Identity.Instance || p.VPC != a.config.Identity.VPC:
	case p.Cluster != a.config.Cluster:
		return fmt.Errorf("this host is tended for cluster %s, and all for it is left as it is; give --cluster %[1]s, or run 'sealane-agent cleanup' to take it to cluster %s: %w",
			p.Cluster, a.config.Cluster, api.ErrRefused)
	default:
		a.memory.last, a.before = recalled(p), p.Hosts
	}
	return nil
}

// into adds to a wish, made without the registry, what the registry last said. Of our own
// subnets those count that are there, and of the others' those that are in nobody's way.
func (r recalled) into(w host.Wish, f host.Facts, c Config) host.Wish {
	own := &api.Host{}
	for _, l := range r.Locals { // named by its bridge: while Docker is silent the names are not known
		own.Subnets = append(own.Subnets, api.Subnet{Prefix: l.Prefix, Bridge: l.Bridge, Network: l.Bridge})
	}
	only := func(all []netip.Prefix, in []netip.Prefix) []netip.Prefix {
		return slices.DeleteFunc(slices.Clone(all), func(p netip.Prefix) bool { return !slices.Contains(in, p) })
	}
	bridged := prefixesOf(subnetsOf(f.Bridges))
	w.Locals = slices.DeleteFunc(subnetsOf(c.Serve.bridges(f, own)), func(l host.Local) bool { return !slices.Contains(r.Locals, l) })
	w.Remotes = slices.DeleteFunc(slices.Clone(r.Remotes), func(p netip.Prefix) bool {
		return overlapsAny(bridged, p) || p.Contains(c.Identity.IP)
	})
	w.Peers = slices.DeleteFunc(slices.Clone(r.Peers), func(a netip.Addr) bool { return a == c.Identity.IP })
	w.KeepFrom, w.Keep = only(r.KeepFrom, prefixesOf(w.Locals)), only(r.Keep, w.Remotes)
	return w
}

// peers are the other hosts' subnets as they were remembered; whose they are is not.
func (r recalled) peers(c Config) []peer {
	var all []peer
	for _, p := range r.Remotes {
		if !p.Contains(c.Identity.IP) {
			all = append(all, peer{prefix: p})
		}
	}
	return all
}

// remember keeps what the registry says, if all of it could be read and it knows this host.
// In a busy cluster it is not written for each change.
func (a *Agent) remember(s *api.Snapshot, w host.Wish) {
	own := hostOf(s, a.config.Identity.Instance)
	if a.config.Memory == nil || own == nil || w.Incomplete {
		return
	}
	p := a.memory.last.renewed(s, own, w)
	p.Cluster, p.VPC, p.Instance = a.config.Cluster, a.config.Identity.VPC, own.Instance
	if reflect.DeepEqual(p, a.memory.last) || !a.memory.at.IsZero() && time.Since(a.memory.at) < a.config.Poll {
		return
	}
	a.memory.at = time.Now()
	if err := a.config.Memory.RememberPeers(host.Peers(p)); err == nil {
		a.memory.last = p
		a.memory.trouble.changed("")
	} else if a.memory.trouble.changed(err.Error()) {
		a.log.Warn("should the machine boot while the registry is away, it will know no peers", api.KeyError, err)
	}
}

// renewed is what the registry says now. A subnet whose bridge is away just now is still
// ours, and its source is kept if it was before.
func (r recalled) renewed(s *api.Snapshot, own *api.Host, w host.Wish) recalled {
	p := recalled{Remotes: w.Remotes, Peers: w.Peers, Keep: w.Keep}
	for _, h := range s.Hosts {
		p.Hosts = append(p.Hosts, h.Instance)
	}
	for _, n := range own.Subnets {
		l := host.Local{Prefix: n.Prefix, Bridge: n.Bridge}
		claimed := slices.ContainsFunc(own.Claims, func(c api.Claim) bool { return c.Prefix == l.Prefix })
		if !claimed || !pooled(l.Prefix, s.Config) {
			continue
		}
		p.Locals = append(p.Locals, l)
		away := !slices.Contains(w.Locals, l) && slices.Contains(r.KeepFrom, l.Prefix)
		if away || slices.Contains(w.KeepFrom, l.Prefix) {
			p.KeepFrom = append(p.KeepFrom, l.Prefix)
		}
	}
	return p
}
