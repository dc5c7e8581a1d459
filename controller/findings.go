package controller

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// findings says what is not as it should be, beyond what the plan says of single routes.
// It is pure; the order is that of the snapshot.
func findings(snap api.Snapshot, hosts []api.Host, v view, config api.Config) []api.Finding {
	var out []api.Finding
	add := func(code api.Code, severity api.Severity, fix, format string, args ...any) {
		out = append(out, api.Finding{Code: code, Severity: severity, Text: fmt.Sprintf(format, args...), Fix: fix})
	}
	for _, u := range snap.Unreadable {
		add(api.FindingUnreadable, api.Warning, "correct or remove the record; until then nothing is deleted",
			"registry record %s cannot be read: %s", u.Key, u.Problem)
	}
	if err := config.Validate(); err != nil {
		add(api.FindingConfig, api.Failure, "correct the record config in the registry", "the configuration is not usable: %v", err)
	}
	if v.err != nil {
		add(api.FindingCloud, api.Failure, "", "the cloud could not be read: %v", v.err)
	}
	for _, h := range hosts {
		switch h.Life {
		case api.LifeSilent:
			add(api.FindingHostSilent, api.Warning, "see whether sealane-agent runs there and reaches etcd",
				"the agent of %s is not heard; its routes are kept", h.Label())
		case api.LifeStopped:
			add(api.FindingHostStopped, api.Warning, "start the instance, or take the host out of service",
				"%s is stopped; traffic to its containers is lost", h.Label())
		case api.LifeMissing:
			add(api.FindingHostMissing, api.Warning, "check the instance id and the account",
				"the cloud does not know %s; its routes are kept until that is certain", h.Label())
		default: // the others are as they should be, or said elsewhere
		}
	}
	return append(out, passage(hosts, v, config)...)
}

// passage says which hosts the cloud keeps container source addresses from: an interface
// that checks source and destination, or security groups that do not admit the pools.
func passage(hosts []api.Host, v view, config api.Config) []api.Finding {
	var out []api.Finding
	var pools []string
	for _, p := range config.Pools {
		pools = append(pools, p.String())
	}
	for _, h := range hosts {
		i, ok := v.instances[h.Instance]
		if !ok || h.Life.Withdraws() {
			continue
		}
		if !slices.ContainsFunc(v.network.VSwitches, func(s cloud.VSwitch) bool { return s.ID == i.VSwitch }) {
			out = append(out, api.Finding{
				Code: api.FindingVSwitch, Severity: api.Failure,
				Text: fmt.Sprintf("%s is on vSwitch %s, which %s does not have: containers there reach nobody", h.Label(), i.VSwitch, v.network.VPC),
				Fix:  "serve that VPC with a controller of its own",
			})
		}
		if i.SourceCheck {
			out = append(out, api.Finding{
				Code: api.FindingSourceCheck, Severity: api.Warning,
				Text: fmt.Sprintf("the source/destination check of %s is on: the cloud drops what containers there send and receive under their own addresses", h.Label()),
				Fix:  "ModifyNetworkInterfaceAttribute SourceDestCheck=false on its primary interface",
			})
		}
		if !admitsAll(i, config.Pools) {
			out = append(out, api.Finding{
				Code: api.FindingSecurityGroup, Severity: api.Warning,
				Text: fmt.Sprintf("the security groups of %s do not admit all of %s", h.Label(), strings.Join(pools, ", ")),
				Fix:  "add an ingress rule: accept, all protocols, source " + strings.Join(pools, " and "),
			})
		}
	}
	slices.SortStableFunc(out, func(a, b api.Finding) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return out
}
