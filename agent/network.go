package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

type adder func(code api.Code, severity api.Severity, text, fix string)

// diagnoseBridges looks at the bridges that are asked for by name, and at those the host was
// reported with.
func diagnoseBridges(v *view, serve Serve, own *api.Host, add adder) {
	served := serve.bridges(v.facts, own)
	for _, b := range served {
		for _, p := range b.Prefixes() {
			if !usable(p) {
				add(api.FindingBadSubnet, api.Failure, fmt.Sprintf("%s has subnet %s, which cannot be routed", b.Name, p), "give Docker another bip")
			}
		}
	}
	names := slices.Clone(serve.Bridges)
	kept := serve.kept(v.facts, own)
	for _, s := range kept {
		if !slices.Contains(names, s.Bridge) {
			names = append(names, s.Bridge)
		}
	}
	for _, name := range names {
		diagnoseBridge(name, v, served, kept, add)
	}
}

func diagnoseBridge(name string, v *view, served []host.Bridge, kept []api.Subnet, add adder) {
	b, ok := named(served, name)
	if !ok && name == defaultBridge {
		at := slices.IndexFunc(served, func(b host.Bridge) bool { return b.Network != nil && b.Network.Default })
		if ok = at >= 0; ok {
			b = served[at]
		}
	}
	if _, there := named(v.facts.Bridges, name); there && !ok {
		return // it is not served, and that has a finding of its own
	}
	kept = slices.DeleteFunc(slices.Clone(kept), func(s api.Subnet) bool { return s.Bridge != name })
	switch {
	case ok && len(b.Addresses) > 0 && len(kept) == 0:
	case ok:
		family := "IPv4"
		if len(kept) > 0 && kept[0].Prefix.Addr().Is6() {
			family = "IPv6"
		}
		text := fmt.Sprintf("%s has no %s address: Docker gives it one when it starts", name, family)
		if len(kept) > 0 {
			text += fmt.Sprintf("; its claim to %s is kept", join(kept))
		}
		add(noAddress(kept), lostSeverity(kept, v.kept), text, "restart Docker, and see what takes the address away")
	case len(kept) > 0:
		add(api.FindingBridgeLost, lostSeverity(kept, v.kept), fmt.Sprintf("%s is gone; its claim to %s is kept", name, join(kept)), "see whether Docker runs")
	default:
		add(api.FindingNoBridge, api.Warning, fmt.Sprintf("no %s yet: waiting for Docker to create it", name), "see whether Docker runs")
	}
}

// noAddress is the code for a bridge without an address, which is lost if it had one.
func noAddress(kept []api.Subnet) api.Code {
	if len(kept) > 0 {
		return api.FindingBridgeLost
	}
	return api.FindingNoBridge
}

// lostSeverity tells a subnet whose packets come here and die from one that nobody sends any to.
func lostSeverity(kept, granted []api.Subnet) api.Severity {
	if slices.ContainsFunc(kept, func(s api.Subnet) bool { return slices.Contains(granted, s) }) {
		return api.Failure
	}
	return api.Warning
}

// diagnoseNetworks looks at what Docker tells of the networks.
func diagnoseNetworks(v *view, config Config, own *api.Host, add adder) {
	f := v.facts
	if f.Asked != nil && (len(config.Serve.Networks) > 0 || own != nil && own.Versions.Docker != "") {
		add(api.FindingEngineSilent, api.Warning, "Docker's API does not answer, so networks are known by their bridges only: "+f.Asked.Error(), "see whether Docker runs, and --docker")
	}
	if !f.Answers() {
		return
	}
	for _, name := range config.Serve.Networks {
		if !slices.ContainsFunc(f.Engine.Networks, func(n host.Network) bool { return n.Name == name }) {
			add(api.FindingNotServed, api.Warning, fmt.Sprintf("Docker has no bridge network %q", name), "docker network ls --filter driver=bridge")
		}
	}
	for _, b := range f.Bridges {
		if b.Network != nil && b.Network.Internal && config.Serve.wants(b) {
			add(api.FindingNotServed, api.Warning, fmt.Sprintf("network %q is internal: Docker lets nothing in or out of it, and so do we", b.Network.Name), "")
		}
	}
	for _, b := range config.Serve.bridges(f, own) {
		if b.Network != nil && !b.Network.ICC && !config.Strict {
			diagnoseICC(v, b, add)
		}
	}
}

// diagnoseICC tells of a network whose containers Docker keeps apart. It does so by the interface
// that packets come in by: where a redirect hands them to the bridge, that holds for those of
// other hosts, too.
func diagnoseICC(v *view, b host.Bridge, add adder) {
	text := fmt.Sprintf("network %q forbids its containers to speak to each other (icc=false)", b.Network.Name)
	if at := slices.IndexFunc(v.drops, func(d drop) bool { return d.bridge == b.Name && closedByICC(v.facts, d) }); at >= 0 {
		add(api.FindingOverruled, api.Failure, text+", and here that also holds for other hosts: Docker's own rule drops "+namePrefixes(v.drops[at].from, v.peers)+" as well",
			"have Docker accept marks (bridge-accept-fwmark, or give the agent --docker-restart), or do not serve the network")
		return
	}
	add(api.FindingOverruled, api.Warning, text+", yet those of other hosts may speak to them", "start the agent with --admit published, or do not serve the network")
}

// closedByICC reports whether a drop is Docker's own, of a network with icc=false that is served
// by the redirect. It is no fault of the host's: the other networks are as ready as before.
func closedByICC(f host.Facts, d drop) bool {
	b, ok := named(f.Bridges, d.bridge)
	return ok && b.Network != nil && !b.Network.ICC && way(f) == host.WayRedirect && d.rule.Table == "docker-bridges"
}

func join(subnets []api.Subnet) string {
	var texts []string
	for _, s := range subnets {
		texts = append(texts, s.Prefix.String())
	}
	return strings.Join(texts, ", ")
}
