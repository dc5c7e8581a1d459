package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
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
		Long: `doctor looks at this host and changes nothing. For each subnet of each other host it asks the
kernel which way packets go, and walks them through the rules the host has now, of iptables in
both variants and of nftables. It names the route that leads them elsewhere, and the rule that
drops them: table, chain, number and text. What could not be read makes an answer "unproven".
With --from and --to it asks about one packet. While etcd or the metadata service does
not answer, what the agent last wrote into its state directory stands in. Without
--etcd-endpoints the other hosts are not known: then give --from and --to.

Exit codes: 0 nothing is wrong; 7 it prints a finding that is not of severity info; others as
for sealane-agent.`,
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
	look, err := f.openHost(cmd)
	if err != nil {
		return err
	}
	defer look.close()
	asked.Registry, asked.AsOf = registryAddresses(cmd.Context(), f.etcdEndpoints), lastRemembered(f.stateDir)
	x, err := agent.Examine(cmd.Context(), look.config, look.host, look.registry, asked)
	if err != nil {
		return err
	}
	process, running := state.Holder(f.stateDir)
	r := diagnosis{Examination: x, running: running, process: process}
	if q.output == "json" {
		err = printJSON(cmd.OutOrStdout(), r)
	} else {
		err = printText(cmd.OutOrStdout(), r)
	}
	if err != nil {
		return err
	}
	return exitCode(x)
}

// exitCode is 7 when something is not as it should be.
func exitCode(x agent.Examination) error {
	wrong := slices.ContainsFunc(x.Findings, func(f api.Finding) bool { return f.Severity != api.Info }) ||
		slices.ContainsFunc(x.Answers, func(a agent.Answer) bool { return a.Fate() != "passes" })
	if wrong {
		return cli.Exit(api.ExitDegraded)
	}
	return nil
}

// registryAddresses are the addresses of etcd, as far as their names can be told.
func registryAddresses(ctx context.Context, endpoints []string) []netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var all []netip.Addr
	for _, e := range endpoints {
		u, err := url.Parse(e)
		if err != nil {
			continue // the flags have been checked
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", u.Hostname())
		if err != nil {
			continue // the failure to reach it says more
		}
		for _, a := range found {
			if a = a.Unmap(); !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

// lastRemembered is when the agent last wrote down what the registry said.
func lastRemembered(stateDir string) time.Time {
	info, err := os.Stat(filepath.Join(stateDir, "peers.json"))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
