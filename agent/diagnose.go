package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// shorten bounds what a finding says: a rule may name ten thousand addresses, and a report is
// refused if it is too large.
func shorten(text string) string {
	const most = 1000
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

// diagnose says what is wrong with a host, in the order of the codes. own is the host's
// record in the registry, nil if there is none; conflicts are the subnets it was refused.
func diagnose(v *view, config Config, own *api.Host, conflicts []api.Conflict) []api.Finding {
	var all []api.Finding
	add := func(code api.Code, severity api.Severity, text, fix string) {
		all = append(all, api.Finding{Code: code, Severity: severity, Text: shorten(text), Fix: fix})
	}
	diagnoseBridges(v, config.Serve, own, add)
	diagnoseNetworks(v, config, own, add)
	diagnoseForwarding(v, config, add)
	diagnoseEngine(v, add)
	diagnoseRules(v, add)
	diagnosePath(v, add)
	diagnoseDrops(v, add)
	diagnoseParts(v, config, add)
	for _, c := range conflicts {
		add(api.FindingClaimRefused, api.Failure, c.String(), c.Reason.Text())
	}
	slices.SortStableFunc(all, func(a, b api.Finding) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return all
}

func diagnoseForwarding(v *view, config Config, add adder) {
	failed := v.outcome.Failures[host.PartForwarding]
	switch {
	case failed != nil && v.facts.Forwarding:
		add(api.FindingForwardingOff, api.Failure, "forwarding is not as it should be: "+failed.Error(), "")
	case failed != nil:
		add(api.FindingForwardingOff, api.Failure, "net.ipv4.ip_forward is off: "+failed.Error(), "sysctl net.ipv4.ip_forward=1")
	case !v.facts.Forwarding && slices.Contains(config.Leave, host.PartForwarding):
		add(api.FindingForwardingOff, api.Failure, "net.ipv4.ip_forward is off, and the agent is told to leave it", "sysctl net.ipv4.ip_forward=1")
	case exposes(v.facts):
		add(api.FindingExposes, api.Failure, "net.ipv4.ip_forward is off and is not turned on: the policy of FORWARD is ACCEPT and Docker's rules do not keep strangers out, so that every port of every container would be open to them",
			fmt.Sprintf("iptables%s -P FORWARD DROP; forwarding is then turned on", variantSuffix(v.facts)))
	case !v.facts.Forwarding && v.only && v.wish.Forward:
		add(api.FindingForwardingOff, api.Failure, "net.ipv4.ip_forward is off", "start the agent, which turns it on, or sysctl net.ipv4.ip_forward=1")
	case !v.facts.Forwarding && !v.wish.Forward:
		add(api.FindingForwardingOff, api.Warning, "net.ipv4.ip_forward is off; it is left to Docker, which has not started yet", "see whether Docker runs")
	}
}

// variantSuffix names the command of the variant that Docker uses where the plain one is another.
func variantSuffix(f host.Facts) string {
	if f.Default == f.Variant || f.Variant == "" {
		return ""
	}
	return "-" + string(f.Variant)
}

// diagnoseEngine tells of an engine whose rules are gone, and of one that is served in part.
func diagnoseEngine(v *view, add adder) {
	f := v.facts
	switch {
	case f.Engine.Kind == host.KindRootless:
		add(api.FindingEngineUnfit, api.Warning, "this is rootless Docker: its networks are inside a namespace of the user's, and no route leads into it", "serve containers of a Docker that root runs")
	case f.Engine.Kind == host.KindPodman:
		add(api.FindingEngineUnfit, api.Warning, "podman answers in Docker's place: its networks are not reported as Docker's; a bridge of root's can be served by --bridge with --docker none", "give the agent --docker none and --bridge")
	case f.Engine.Kind == host.KindSnap:
		add(api.FindingEngineUnfit, api.Info, "this is Docker from snap: it is served, but its options are in /var/snap/docker/current/config/daemon.json", "give the agent --docker-config /var/snap/docker/current/config/daemon.json")
	case f.Asked != nil && len(f.Elsewhere) > 0:
		add(api.FindingEngineUnfit, api.Warning, "no Docker of root's answers, and there is rootless Docker at "+strings.Join(f.Elsewhere, ", ")+": no route leads to its containers", "serve containers of a Docker that root runs")
	}
	if !f.Answers() || f.RulesOff || f.Engine.Kind == host.KindRootless || f.Engine.Kind == host.KindPodman || len(f.Missing) > 0 {
		return // it has no rules here, or they cannot be seen
	}
	switch {
	case !f.Docker:
		add(api.FindingUnprotected, api.Failure, "Docker runs and its firewall rules are gone, its protection with them: outsiders reach what is not published until it restarts", "systemctl restart docker")
	case f.Bypassed:
		add(api.FindingUnprotected, api.Failure, "Docker runs and FORWARD leads to none of its chains, as after iptables -F: neither what it publishes nor what it keeps out counts until it restarts", "systemctl restart docker")
	}
}

func diagnoseRules(v *view, add adder) {
	f, failed := v.facts, v.outcome.Failures
	rules, native := failed[host.PartRules], failed[host.PartNative]
	switch {
	case f.Uplink == "":
		add(api.FindingNoUplink, api.Failure, "no interface carries the host's private address",
			"compare the agent's --ip, or what the metadata service says, with 'ip address'")
	case rules != nil:
		add(api.FindingRulesFailed, api.Failure, "the firewall rules are not in place: "+rules.Error(), "")
	case native != nil:
		add(api.FindingRulesFailed, api.Failure, "packets do not get through Docker's nftables rules: "+native.Error(), "")
	case v.wish.Way == host.WayRedirect && len(v.wish.Locals) > 0:
		add(api.FindingRedirected, api.Info, "Docker keeps its rules in nftables and was not told to accept marked packets, so the uplink hands packets to the bridges itself",
			`add "allow-direct-routing": true and "bridge-accept-fwmark": "0x10000/0x10000" to daemon.json and restart Docker, or give the agent --docker-restart`)
	}
	if v.uplink.err != nil {
		add(api.FindingUplink, api.Failure, fmt.Sprintf("%s, with address %s, is not the primary interface, and the metadata service does not say which one it is: %v", f.Uplink, v.uplink.mac, v.uplink.err),
			"see whether the interface is attached to this instance, and whether the metadata service answers")
	}
	if f.Blocked != "" {
		add(api.FindingOtherVariant, api.Failure, fmt.Sprintf("the policy of FORWARD in iptables-%s is DROP, and no rule in iptables-%s, which Docker uses, lifts that", f.Blocked, f.Variant),
			fmt.Sprintf("iptables-%s -P FORWARD ACCEPT", f.Blocked))
	}
	if f.Default != "" && f.Variant != f.Default {
		add(api.FindingVariantDiffers, api.Info, fmt.Sprintf("Docker writes its rules with iptables-%s; the command iptables shows those of iptables-%s", f.Variant, f.Default),
			fmt.Sprintf("look at the rules with iptables-%s", f.Variant))
	}
	if f.SourceWay == host.SourceChain && len(v.wish.Locals) > 0 {
		add(api.FindingSourceChain, api.Info, "source addresses are kept by chain SEALANE-SRC of iptables, not by a table of nftables: "+f.SourceWhy,
			"install nft, unless the kernel is too old for it")
	}
	if source := failed[host.PartSource]; source != nil && f.Uplink != "" {
		add(api.FindingSourceMasked, api.Warning, "containers show the host's address to other hosts: "+source.Error(), "")
	}
	if len(f.SavedRules) > 0 {
		add(api.FindingSavedRules, api.Warning, fmt.Sprintf("%s, loaded at boot, names sets or chains of ours: loading it fails as a whole, and the host boots without a firewall", strings.Join(f.SavedRules, ", ")),
			"take the lines with SEALANE and sealane- out of it, or save before the agent runs")
	}
	for _, lack := range f.Missing {
		add(api.FindingPermission, api.Failure, "the agent lacks "+lack, "start it as root or with CAP_NET_ADMIN and CAP_NET_RAW, and install iptables")
	}
	if len(f.UserDrops) > 0 {
		add(api.FindingOverruled, api.Warning, fmt.Sprintf("traffic between hosts passes ahead of the rules in DOCKER-USER that drop: %s", joinFew(f.UserDrops)),
			"a rule that must hold for it too belongs in iptables -t mangle -A FORWARD")
	}
}

// diagnoseDrops names the rules that drop what should pass.
func diagnoseDrops(v *view, add adder) {
	told := slices.DeleteFunc(slices.Clone(v.drops), func(d drop) bool { return closedByICC(v.facts, d) }) // which have a finding of their own
	if len(told) > few {
		severity := api.Warning
		if told[few].certain() {
			severity = api.Failure
		}
		add(api.FindingDropped, severity, fmt.Sprintf("%d more rules drop packets between our subnets", len(told)-few), "sealane-agent doctor names the rules for each peer")
		told = told[:few]
	}
	for _, d := range told {
		severity := api.Failure
		if !d.certain() {
			severity = api.Warning
		}
		add(api.FindingDropped, severity, describeDrop(d, v.peers)+present(v.facts), "remove that rule, or put one ahead of it that accepts these subnets")
	}
	for i, err := range v.unproven {
		if i == few {
			add(api.FindingUnproven, api.Warning, fmt.Sprintf("there are %d more reasons why it is not known whether packets between our subnets pass", len(v.unproven)-few), "")
			break
		}
		add(api.FindingUnproven, api.Warning, "it is not known whether packets between our subnets pass: "+err.Error(), "")
	}
}

// diagnoseParts tells of what is not changed: settings that could not be, fights with other
// programs, and what is switched off.
func diagnoseParts(v *view, config Config, add adder) {
	for _, p := range []host.Part{host.PartEngine, host.PartReversePath, host.PartRouterAdv, host.PartDropIn} {
		if err := v.outcome.Failures[p]; err != nil {
			add(api.FindingSettings, api.Warning, fmt.Sprintf("%s: %v", p, err), "")
		}
	}
	if v.swings {
		add(api.FindingSwings, api.Failure, "what the agent changes because the host is ready makes it unready, and the other way round; it is taken for not ready, and sources are not kept, until something else changes",
			"sealane-agent doctor names what drops; remove that, and the host is looked at anew")
	}
	for _, f := range v.contests {
		text := fmt.Sprintf("another program keeps undoing what the agent puts in place, last: %s; it is mended only sometimes", f.Last.What)
		if f.Writer != "" {
			text += "; nftables were last changed by " + f.Writer
		}
		add(api.FindingFight, api.Failure, text+present(v.facts), "stop the other program, or have it leave sealane's rules and settings alone")
	}
	if v.facts.ReversePath == 1 && slices.Contains(config.Leave, host.PartReversePath) {
		add(api.FindingSettings, api.Warning, fmt.Sprintf("the reverse path filter of %s is strict and drops replies that come another way; the agent is told to leave it", v.facts.Uplink),
			fmt.Sprintf("sysctl net.ipv4.conf.%s.rp_filter=2", v.facts.Uplink))
	}
	for _, p := range config.Leave {
		if p == host.PartRules || p == host.PartNative && v.facts.Native != nil {
			add(api.FindingLeftOut, api.Info, fmt.Sprintf("the agent is told to leave %s; what lets packets through is up to somebody else", p), "")
		}
	}
}

// present names the other programs that keep rules on the host.
func present(f host.Facts) string {
	if len(f.Others) == 0 {
		return ""
	}
	return "; here is " + strings.Join(f.Others, " and ")
}

// diagnosePath tells of packets that are lost by routes and links.
func diagnosePath(v *view, add adder) {
	for _, l := range deadLinks(v) {
		add(l.code, api.Failure, l.text, l.fix)
	}
	for _, d := range v.lost {
		text, fix := describeDetour(d, v)
		add(d.code, api.Failure, text, fix)
	}
}
