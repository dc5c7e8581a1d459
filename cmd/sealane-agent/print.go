package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// diagnosis is what doctor prints.
type diagnosis struct {
	agent.Examination
	running bool   // an agent holds the state directory
	process string // its number, if known
}

func printText(out io.Writer, x diagnosis) error {
	var b strings.Builder
	f := x.Facts
	state := map[bool]string{true: "on", false: "off"}
	fmt.Fprintf(&b, "uplink %s%s, forwarding %s, kernel %s\n", or(f.Uplink, "unknown"), sizeOf(f.Uplink, x.Path), state[f.Forwarding], f.Kernel)
	fmt.Fprintf(&b, "docker %s\n", engineText(f))
	if x.running {
		fmt.Fprintf(&b, "agent running (process %s)\n", or(x.process, "not known"))
	} else {
		b.WriteString("agent not running\n")
	}
	if len(f.Others) > 0 {
		fmt.Fprintf(&b, "also keeping rules: %s\n", strings.Join(f.Others, ", "))
	}
	for _, bridge := range f.Bridges {
		network := ""
		if bridge.Network != nil {
			network = ", network " + bridge.Network.Name
		}
		served := "not served"
		for _, l := range x.Served {
			if l.Bridge == bridge.Name {
				served = "served"
			}
		}
		fmt.Fprintf(&b, "bridge %s %v%s%s, %s\n", bridge.Name, bridge.Addresses, network, sizeOf(bridge.Name, x.Path), served)
	}
	for _, line := range groupAnswers(x.Answers, x.Served) {
		fmt.Fprintln(&b, line)
	}
	for _, finding := range x.Findings {
		fmt.Fprintf(&b, "%s %s: %s\n", finding.Code, finding.Severity, finding.Text)
		if finding.Fix != "" {
			fmt.Fprintf(&b, "  fix: %s\n", finding.Fix)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// sizeOf is how large a packet an interface takes, as far as that was asked.
func sizeOf(link string, path host.Path) string {
	at := slices.IndexFunc(path.Links, func(l host.Link) bool { return l.Name == link && l.There })
	if at < 0 {
		return ""
	}
	return fmt.Sprintf(", MTU %d", path.Links[at].MTU)
}

// groupAnswers tells what becomes of packets, the other hosts' subnets that fare alike in one
// line. The first place of each answer is a peer's if its second is one of ours.
func groupAnswers(answers []agent.Answer, served []host.Local) []string {
	type group struct {
		a     agent.Answer
		in    bool // toward a subnet of ours
		peers []netip.Prefix
	}
	var groups []*group
	at := map[string]*group{}
	for _, a := range answers {
		in := slices.ContainsFunc(served, func(l host.Local) bool { return l.Prefix == a.To })
		own, other := a.From, a.To
		if in {
			own, other = a.To, a.From
		}
		key := fmt.Sprint(own, in, a.Bridge, a.State, a.Fate())
		if at[key] == nil {
			at[key] = &group{a: a, in: in}
			groups = append(groups, at[key])
		}
		at[key].peers = append(at[key].peers, other)
	}
	var lines []string
	for _, g := range groups {
		from, to := g.a.From.String(), listPrefixes(g.peers)
		if g.in {
			from, to = to, g.a.To.String()
		}
		lines = append(lines, fmt.Sprintf("%s -> %s (%s, %s): %s", from, to, g.a.Bridge, g.a.State, g.a.Fate()))
	}
	return lines
}

// listPrefixes names the first of many.
func listPrefixes(all []netip.Prefix) string {
	const some = 20
	var texts []string
	for _, p := range all[:min(some, len(all))] {
		texts = append(texts, p.String())
	}
	text := strings.Join(texts, ", ")
	if more := len(all) - len(texts); more > 0 {
		text += fmt.Sprintf(" and %d more (all of them with -o json)", more)
	}
	return text
}

func engineText(f host.Facts) string {
	version := or(f.Engine.Version, "of unknown version")
	switch {
	case !f.Docker:
		if f.RulesOff || f.Engine.Version == "" {
			return version + ", without rules"
		}
		return version + ", its rules are gone"
	case f.Native != nil:
		return version + ", rules in nftables"
	default:
		return version + ", rules in iptables-" + string(f.Variant)
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// printJSON prints what scripts may rely on: schema 1 only ever gains fields.
func printJSON(out io.Writer, x diagnosis) error {
	type bridge struct {
		Name      string         `json:"name"`
		Addresses []netip.Prefix `json:"addresses"`
		Network   string         `json:"network,omitempty"`
	}
	doc := struct {
		Schema     int            `json:"schema"`
		Uplink     string         `json:"uplink"`
		Forwarding bool           `json:"forwarding"`
		Kernel     string         `json:"kernel"`
		Docker     string         `json:"docker,omitempty"`
		Backend    string         `json:"backend"`
		Bridges    []bridge       `json:"bridges"`
		Answers    []agent.Answer `json:"answers"`
		Findings   []api.Finding  `json:"findings"`
		Served     []netip.Prefix `json:"served"`
		Running    bool           `json:"running"`
		Away       string         `json:"away,omitempty"` // why the registry did not answer
	}{
		Schema: 1, Uplink: x.Facts.Uplink, Forwarding: x.Facts.Forwarding, Kernel: x.Facts.Kernel, Docker: x.Facts.Engine.Version,
		Backend: "iptables-" + string(x.Facts.Variant), Bridges: []bridge{}, Answers: x.Answers, Findings: x.Findings, Served: []netip.Prefix{}, Running: x.running,
	}
	if x.Away != nil {
		doc.Away = x.Away.Error()
	}
	if x.Facts.Native != nil {
		doc.Backend = "nftables"
	}
	for _, b := range x.Facts.Bridges {
		one := bridge{Name: b.Name, Addresses: b.Addresses}
		if b.Network != nil {
			one.Network = b.Network.Name
		}
		doc.Bridges = append(doc.Bridges, one)
	}
	for _, l := range x.Served {
		doc.Served = append(doc.Served, l.Prefix)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}
