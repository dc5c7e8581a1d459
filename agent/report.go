package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// describe makes the host's report, without its time. A bridge that is gone keeps the
// subnets it was reported with: the routes to them stay until somebody says otherwise, which
// for a network of the user's is also Docker. IPv6 subnets are reported where a pool of the
// cluster is IPv6.
func describe(config Config, v *view, snapshot *api.Snapshot, findings []api.Finding) api.Report {
	id := config.Identity
	own := hostOf(snapshot, id.Instance)
	r := api.Report{
		Instance: id.Instance, Name: id.Name, Region: id.Region, VPC: id.VPC, IP: id.IP,
		Readiness: readiness(v),
		Versions:  api.Versions{Agent: config.Version, Kernel: v.facts.Kernel, Docker: v.facts.Engine.Version},
		Findings:  findings,
	}
	if !v.facts.Answers() && own != nil {
		r.Versions.Docker = own.Versions.Docker // silence is no news
	}
	r.Uplink, r.VSwitch = v.place(id, own)
	served := config.Serve.bridges(v.facts, own)
	for _, l := range subnetsOf(served) {
		if l.Prefix.Addr().Is6() && !reports6(l, snapshot, own) {
			continue
		}
		s := api.Subnet{Prefix: l.Prefix, Bridge: l.Bridge}
		if b, _ := named(served, l.Bridge); b.Network != nil {
			s.Network = b.Network.Name
		} else {
			s.Network = networkOf(own, s)
		}
		r.Subnets = append(r.Subnets, s)
	}
	r.Subnets = append(r.Subnets, config.Serve.kept(v.facts, own)...)
	slices.SortFunc(r.Subnets, func(a, b api.Subnet) int { return api.ComparePrefixes(a.Prefix, b.Prefix) })
	return r
}

// reports6 reports whether an IPv6 subnet is for others. While the configuration cannot be read
// that is as before.
func reports6(l host.Local, snapshot *api.Snapshot, own *api.Host) bool {
	if snapshot != nil && snapshot.Config != nil {
		return pooled(l.Prefix, snapshot.Config)
	}
	return own != nil && slices.ContainsFunc(own.Subnets, func(was api.Subnet) bool { return was.Prefix == l.Prefix })
}

// networkOf is the name that a subnet's network was reported with.
func networkOf(own *api.Host, s api.Subnet) string {
	if own != nil {
		for _, was := range own.Subnets {
			if was.Prefix == s.Prefix && was.Bridge == s.Bridge {
				return was.Network
			}
		}
	}
	return ""
}

// readiness says how far the host is prepared. A part that is switched off or left alone is
// taken for done by somebody else, as long as no rule is seen to drop.
func readiness(v *view) api.Readiness {
	failed := v.outcome.Failures
	return api.Readiness{
		Forwarding: v.facts.Forwarding || v.wish.Forward && failed[host.PartForwarding] == nil && !slices.Contains(v.wish.Leave, host.PartForwarding),
		Rules:      failed[host.PartRules] == nil && failed[host.PartNative] == nil && v.facts.Blocked == "" && !anyCertain(v) && !v.swings,
		Astray:     len(v.lost) > 0 || len(v.kept) > 0 || len(deadLinks(v)) > 0,
	}
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

// Leave takes the host out of service on purpose: its claims are released and its routes
// withdrawn. The record must be this host's: one with another private address or VPC is
// refused with ErrRefused, since an instance id given by hand is easily another's.
func Leave(ctx context.Context, id Identity, registry Registry) (api.Report, error) {
	snapshot, err := registry.Snapshot(ctx)
	if err != nil {
		return api.Report{}, err
	}
	own := hostOf(&snapshot, id.Instance)
	if own == nil {
		return api.Report{}, fmt.Errorf("leave: host %s is not in the registry: %w", id.Instance, api.ErrNotFound)
	}
	if own.IP != id.IP || own.VPC != id.VPC {
		return api.Report{}, fmt.Errorf("leave: host %s is registered with %s in %s, this machine has %s in %s: %w",
			own.Label(), own.IP, own.VPC, id.IP, id.VPC, api.ErrRefused)
	}
	report := own.Report
	report.Left = true
	report.At = time.Now().UTC()
	_, err = registry.Report(ctx, report)
	return report, err
}
