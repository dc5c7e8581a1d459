package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
)

// diagnose says what is wrong with a host, in the order of the codes. own is the host's
// record in the registry, nil if there is none; conflicts are the subnets it was refused.
func diagnose(v *view, wanted []string, own *api.Host, conflicts []api.Conflict) []api.Finding {
	var all []api.Finding
	add := func(code api.Code, severity api.Severity, text, fix string) {
		all = append(all, api.Finding{Code: code, Severity: severity, Text: text, Fix: fix})
	}
	diagnoseBridges(v, wanted, own, add)
	diagnoseForwarding(v, add)
	f, out := v.facts, v.outcome
	switch {
	case f.Uplink == "":
		add(api.FindingNoUplink, api.Failure, "no interface carries the host's private address",
			"compare the agent's --ip, or what the metadata service says, with 'ip address'")
	case out.Rules != nil:
		add(api.FindingRulesFailed, api.Failure, "the firewall rules are not in place: "+out.Rules.Error(), "")
	case f.DockerNFT:
		add(api.FindingRulesFailed, api.Failure, "Docker keeps its rules in nftables tables of its own, whose drops no rule elsewhere can lift",
			"start dockerd with --firewall-backend=iptables")
	}
	if f.Blocked != "" {
		add(api.FindingOtherVariant, api.Failure, fmt.Sprintf("the policy of FORWARD in iptables-%s is DROP, and no rule in iptables-%s, which Docker uses, lifts that", f.Blocked, f.Variant),
			fmt.Sprintf("iptables-%s -P FORWARD ACCEPT", f.Blocked))
	}
	if f.Variant != f.Default {
		add(api.FindingVariantDiffers, api.Info, fmt.Sprintf("Docker writes its rules with iptables-%s; the command iptables shows those of iptables-%s", f.Variant, f.Default),
			fmt.Sprintf("look at the rules with iptables-%s", f.Variant))
	}
	if out.Source != nil && f.Uplink != "" {
		add(api.FindingSourceMasked, api.Warning, "containers show the host's address to other hosts: "+out.Source.Error(), "")
	}
	for _, lack := range f.Missing {
		add(api.FindingPermission, api.Failure, "the agent lacks "+lack, "start it as root or with CAP_NET_ADMIN, and install iptables")
	}
	for _, c := range conflicts {
		add(api.FindingClaimRefused, api.Failure, c.String(), c.Reason.Text())
	}
	slices.SortStableFunc(all, func(a, b api.Finding) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return all
}

type adder func(code api.Code, severity api.Severity, text, fix string)

func diagnoseBridges(v *view, wanted []string, own *api.Host, add adder) {
	for _, name := range wanted {
		b, ok := bridge(v.facts, name)
		for _, p := range b.Prefixes() {
			if !usable(p) {
				add(api.FindingBadSubnet, api.Failure, fmt.Sprintf("%s has subnet %s, which cannot be routed", name, p), "give Docker another bip")
			}
		}
		kept := claimed(own, name)
		switch {
		case ok && len(b.Addresses) > 0:
		case ok:
			text := fmt.Sprintf("%s has no IPv4 address: Docker gives it one when it starts", name)
			if len(kept) > 0 {
				text += fmt.Sprintf("; its claim to %s is kept", join(kept))
			}
			add(noAddress(kept), api.Warning, text, "restart Docker, and see what takes the address away")
		case len(kept) > 0:
			add(api.FindingBridgeLost, api.Warning, fmt.Sprintf("%s is gone; its claim to %s is kept", name, join(kept)), "see whether Docker runs")
		default:
			add(api.FindingNoBridge, api.Warning, fmt.Sprintf("no %s yet: waiting for Docker to create it", name), "see whether Docker runs")
		}
	}
}

// noAddress is the code for a bridge without an address, which is lost if it had one.
func noAddress(kept []api.Subnet) api.Code {
	if len(kept) > 0 {
		return api.FindingBridgeLost
	}
	return api.FindingNoBridge
}

func diagnoseForwarding(v *view, add adder) {
	switch {
	case v.outcome.Forwarding != nil:
		add(api.FindingForwardingOff, api.Failure, "net.ipv4.ip_forward is off: "+v.outcome.Forwarding.Error(), "sysctl net.ipv4.ip_forward=1")
	case !v.facts.Forwarding && !v.wish.Forward:
		add(api.FindingForwardingOff, api.Warning, "net.ipv4.ip_forward is off; it is left to Docker, which has not started yet", "see whether Docker runs")
	}
}

func join(subnets []api.Subnet) string {
	var texts []string
	for _, s := range subnets {
		texts = append(texts, s.Prefix.String())
	}
	return strings.Join(texts, ", ")
}
