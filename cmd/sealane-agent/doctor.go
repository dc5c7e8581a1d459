package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
	"github.com/sealane/sealane/cmd/cli"
)

// question is what doctor is asked, as written.
type question struct {
	from, to, proto, output string
	port                    uint16
}

func newDoctor(f *flags) *cobra.Command {
	q := &question{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with this host, and which firewall rule drops packets; changes nothing",
		Long: `doctor looks at this host and changes nothing. For each subnet that is served it walks packets
from and to the other hosts through the rules the host has now, of iptables in both variants and
of nftables, and names the rule that drops them: table, chain, number and text. With --from and
--to it asks about one packet. Without --etcd-endpoints the other hosts are not known: then give
--from and --to.

Exit codes: 0 nothing is wrong; 7 something is; others as for sealane-agent.`,
		Example: `  sealane-agent doctor --etcd-endpoints http://192.168.0.10:2379
  sealane-agent doctor --from 10.1.0.2 --to 10.0.0.2 --port 80`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return doctor(cmd, f, q) },
	}
	cmd.Flags().StringVar(&q.from, "from", "", "address that a packet comes from")
	cmd.Flags().StringVar(&q.to, "to", "", "address that it goes to")
	cmd.Flags().StringVar(&q.proto, "proto", "tcp", "tcp, udp or icmp")
	cmd.Flags().Uint16Var(&q.port, "port", 80, "port that it goes to")
	cmd.Flags().StringVarP(&q.output, "output", "o", "text", "text or json")
	return cmd
}

func (q *question) check() (agent.Question, error) {
	out := agent.Question{Proto: q.proto, Port: q.port}
	if (q.from == "") != (q.to == "") {
		return out, fmt.Errorf("--from and --to go together: %w", api.ErrUsage)
	}
	if q.proto != "tcp" && q.proto != "udp" && q.proto != "icmp" {
		return out, fmt.Errorf("--proto: %q is none of tcp, udp, icmp: %w", q.proto, api.ErrUsage)
	}
	if q.output != "text" && q.output != "json" {
		return out, fmt.Errorf("--output: %q is none of text, json: %w", q.output, api.ErrUsage)
	}
	if q.from == "" {
		return out, nil
	}
	var err error
	if out.From, err = netip.ParseAddr(q.from); err != nil {
		return out, fmt.Errorf("--from: %q is not an address: %w", q.from, api.ErrUsage)
	}
	if out.To, err = netip.ParseAddr(q.to); err != nil || out.To.Is4() != out.From.Is4() {
		return out, fmt.Errorf("--to: %q is not an address of the family of %s: %w", q.to, q.from, api.ErrUsage)
	}
	return out, nil
}

func doctor(cmd *cobra.Command, f *flags, q *question) error {
	asked, err := q.check()
	if err != nil {
		return err
	}
	look, err := f.look(cmd)
	if err != nil {
		return err
	}
	defer look.close()
	x, err := agent.Examine(cmd.Context(), look.config, look.host, look.registry, asked)
	if err != nil {
		return err
	}
	if q.output == "json" {
		err = printJSON(cmd.OutOrStdout(), x)
	} else {
		err = printText(cmd.OutOrStdout(), x)
	}
	if err != nil {
		return err
	}
	for _, a := range x.Answers {
		if a.Dropped {
			return cli.Exit(api.ExitDegraded)
		}
	}
	for _, finding := range x.Findings {
		if finding.Severity == api.Failure {
			return cli.Exit(api.ExitDegraded)
		}
	}
	return nil
}

func printText(out io.Writer, x agent.Examination) error {
	var b strings.Builder
	f := x.Facts
	state := map[bool]string{true: "on", false: "off"}
	fmt.Fprintf(&b, "uplink %s, forwarding %s, kernel %s\n", or(f.Uplink, "unknown"), state[f.Forwarding], f.Kernel)
	fmt.Fprintf(&b, "docker %s\n", engineText(f))
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
		fmt.Fprintf(&b, "bridge %s %v%s, %s\n", bridge.Name, bridge.Addresses, network, served)
	}
	for _, a := range x.Answers {
		fmt.Fprintln(&b, a)
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

func engineText(f host.Facts) string {
	version := or(f.Engine.Version, "of unknown version")
	switch {
	case !f.Docker:
		return version + ", without rules"
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
func printJSON(out io.Writer, x agent.Examination) error {
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
	}{
		Schema: 1, Uplink: x.Facts.Uplink, Forwarding: x.Facts.Forwarding, Kernel: x.Facts.Kernel, Docker: x.Facts.Engine.Version,
		Backend: "iptables-" + string(x.Facts.Variant), Bridges: []bridge{}, Answers: x.Answers, Findings: x.Findings, Served: []netip.Prefix{},
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

// look is what commands need that look at this host.
type look struct {
	config   agent.Config
	host     *machine.Host
	registry agent.Snapshots // nil when no etcd was given
	close    func()
}

func (f *flags) look(cmd *cobra.Command) (look, error) {
	log, err := prepare(cmd, f, false)
	if err != nil {
		return look{}, err
	}
	options, err := f.hostOptions(log)
	if err != nil {
		return look{}, err
	}
	id, err := identify(cmd.Context(), f, log)
	if err != nil {
		return look{}, err
	}
	l := look{config: f.agentConfig(id, ""), host: machine.New(options), close: func() {}}
	if len(f.etcdEndpoints) == 0 {
		return l, nil
	}
	client, err := etcd.Dial(f.etcdEndpoints, etcd.Options{})
	if err != nil {
		return look{}, err
	}
	l.registry, l.close = registry.New(client, f.cluster), func() { _ = client.Close() }
	return l, nil
}
