package plan

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// evidence is what is known of the hosts that entries are marked for.
type evidence map[api.InstanceID]*api.Host

func gather(hosts []api.Host) evidence {
	e := make(evidence, len(hosts))
	for i := range hosts {
		e[hosts[i].Instance] = &hosts[i]
	}
	return e
}

// verdict says why the host no longer needs an entry for this destination, or
// ReasonNoEvidence. Silence is not evidence: a lost lease, an empty report and a missing
// record all keep the entry.
func (e evidence) verdict(id api.InstanceID, destination netip.Prefix) api.Reason {
	h := e[id]
	switch {
	case h == nil:
		return api.ReasonNoEvidence
	case h.Life == api.LifeGone:
		return api.ReasonHostGone
	case h.Life == api.LifeLeft:
		return api.ReasonHostLeft
	case len(h.Subnets) > 0 && !reports(h, destination):
		return api.ReasonSubnetReleased
	default:
		return api.ReasonNoEvidence
	}
}

// doubt says in words why the verdict is ReasonNoEvidence.
func (e evidence) doubt(id api.InstanceID) string {
	h := e[id]
	switch {
	case h == nil:
		return string(id) + " is not in the registry"
	case len(h.Subnets) == 0:
		return h.Label() + " reports no subnet at all"
	default:
		return h.Label() + " still reports it"
	}
}

// owner is the host, or a stand-in that has only the id.
func (e evidence) owner(id api.InstanceID) *api.Host {
	if h := e[id]; h != nil {
		return h
	}
	return &api.Host{Report: api.Report{Instance: id}}
}

func reports(h *api.Host, destination netip.Prefix) bool {
	return slices.ContainsFunc(h.Subnets, func(s api.Subnet) bool { return s.Prefix == destination })
}
