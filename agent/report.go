package agent

import (
	"slices"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// describe makes the host's report, without its time. A bridge that is gone keeps the
// subnets it was reported with: the routes to them stay until somebody says otherwise.
func describe(config Config, v *view, own *api.Host, findings []api.Finding) api.Report {
	id := config.Identity
	r := api.Report{
		Instance: id.Instance, Name: id.Name, Region: id.Region, VPC: id.VPC, VSwitch: id.VSwitch, IP: id.IP,
		Readiness: api.Readiness{
			Forwarding: (v.facts.Forwarding || v.wish.Forward) && v.outcome.Forwarding == nil,
			Rules:      v.outcome.Rules == nil && !v.facts.DockerNFT && v.facts.Blocked == "",
		},
		Versions: api.Versions{Agent: config.Version, Kernel: v.facts.Kernel},
		Findings: findings,
	}
	for _, name := range config.Bridges {
		b, _ := bridge(v.facts, name)
		if len(b.Addresses) == 0 {
			r.Subnets = append(r.Subnets, claimed(own, name)...)
		}
		for _, p := range b.Prefixes() {
			if usable(p) {
				r.Subnets = append(r.Subnets, api.Subnet{Prefix: p, Bridge: name})
			}
		}
	}
	slices.SortFunc(r.Subnets, func(a, b api.Subnet) int { return api.ComparePrefixes(a.Prefix, b.Prefix) })
	return r
}

// isNews reports whether the registry lacks something of the report: its words, or a claim
// to a subnet, which may have come free since it was refused.
func isNews(r api.Report, own *api.Host) bool {
	if own == nil || !own.Equal(r) {
		return true
	}
	return slices.ContainsFunc(r.Subnets, func(s api.Subnet) bool {
		return !slices.ContainsFunc(own.Claims, func(c api.Claim) bool { return c.Prefix == s.Prefix })
	})
}

func bridge(f host.Facts, name string) (b host.Bridge, ok bool) {
	for _, b := range f.Bridges {
		if b.Name == name {
			return b, true
		}
	}
	return host.Bridge{}, false
}

// claimed are the subnets that the registry has for a bridge of this host.
func claimed(own *api.Host, name string) []api.Subnet {
	if own == nil || own.Left {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(own.Subnets), func(s api.Subnet) bool { return s.Bridge != name })
}
