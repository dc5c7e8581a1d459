package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cmd/cli"
)

func newStatus(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show hosts, routes and what is wrong, in one view",
		Long: `Show hosts, routes and what is wrong, in one view.

Exit code 7 when traffic between subnets dies, or nobody can tell: a host that is degraded or
refused, a finding of severity failure, a registry that does not answer or holds what cannot be
read, or no pass for ten minutes. A warning alone is 0, and so is a host that is on its way.`,
		Example: "  sealane status\n  sealane status -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			out, problems := cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := o.print(out, s, func(w io.Writer) { writeStatus(w, s, time.Now()) }); err != nil {
				return err
			}
			if o.output == "table" {
				cli.PrintFindings(problems, allFindings(s))
			}
			if isDegraded(s, time.Now()) {
				return cli.Exit(api.ExitDegraded)
			}
			return nil
		},
	}
}

func writeStatus(w io.Writer, s api.Status, now time.Time) {
	lead, pass := "nobody", "never"
	if s.Pass != nil {
		lead = s.Pass.Term.Leader
		if !s.Pass.At.IsZero() {
			pass = ageText(s.Pass.At, now) + " ago"
		}
	}
	_, _ = fmt.Fprintf(w, "cluster %s, policy %s, led by %s, last pass %s\n", s.Cluster, s.Config.Policy, lead, pass)
	if !s.Registry.Reachable {
		_, _ = fmt.Fprintf(w, "the registry does not answer; this is from %s ago: %s\n", ageText(s.Registry.ReadAt, now), s.Registry.Problem)
	}
	_, _ = fmt.Fprintln(w)
	writeHosts(w, s.Hosts)
	_, _ = fmt.Fprintln(w)
	writeRoutes(w, s.Routes, now)
	if s.Pass != nil && len(s.Pass.Plan.Held) > 0 {
		_, _ = fmt.Fprintln(w)
		for _, h := range s.Pass.Plan.Held {
			_, _ = fmt.Fprintf(w, "%s\n", h)
		}
	}
	if s.Pass != nil && s.Pass.Omitted > 0 {
		_, _ = fmt.Fprintf(w, "\n%d more held changes, conflicts and findings are not shown\n", s.Pass.Omitted)
	}
}

// allFindings joins what the controller noticed with what the hosts said of themselves.
func allFindings(s api.Status) []api.Finding {
	out := append([]api.Finding{}, s.Findings...)
	for _, h := range s.Hosts {
		for _, f := range h.Findings {
			f.Text = h.Label() + ": " + f.Text
			out = append(out, f)
		}
	}
	return out
}

func isDegraded(s api.Status, now time.Time) bool {
	if !s.Registry.Reachable {
		return true
	}
	for _, h := range s.Hosts {
		if h.State == api.HostDegraded || h.State == api.HostRefused {
			return true
		}
	}
	for _, f := range allFindings(s) {
		if f.Severity == api.Failure {
			return true
		}
	}
	return len(s.Unreadable) > 0 || (s.Pass != nil && !s.Pass.At.IsZero() && now.Sub(s.Pass.At) > passTooOld)
}

// passTooOld is an age that no pass of a healthy leader reaches, whatever it is waiting for.
const passTooOld = 10 * time.Minute

func newHosts(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "hosts",
		Short:   "Show the hosts and whether each is ready",
		Example: "  sealane hosts\n  sealane hosts -o json | jq '.hosts[].state'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			doc, err := c.Hosts(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), doc, func(w io.Writer) { writeHosts(w, doc.Hosts) })
		},
	}
}

func newRoutes(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "routes",
		Short:   "Show the desired routes and how far each has come",
		Example: "  sealane routes\n  sealane routes -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			doc, err := c.Routes(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), doc, func(w io.Writer) { writeRoutes(w, doc.Routes, time.Now()) })
		},
	}
	cmd.AddCommand(newAdopt())
	return cmd
}

func newPlan(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "plan",
		Short: "Show what is still to change, what is held and what is refused, and why",
		Long: `Show the plan of the last pass: changes to make, changes held, claims refused, one line
each with its reason. Under the policy observe this is all that ever happens.

Exit code 6 when there are changes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			doc, err := c.Plan(cmd.Context())
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), doc, func(w io.Writer) { _, _ = io.WriteString(w, doc.Plan.String()) }); err != nil {
				return err
			}
			if len(doc.Plan.Changes) > 0 {
				return cli.Exit(api.ExitChanges)
			}
			return nil
		},
	}
}

func newVersion(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			doc := struct {
				Schema  string `json:"schema"`
				Version string `json:"version"`
			}{api.SchemaVersion, cli.Version()}
			return o.print(cmd.OutOrStdout(), doc, func(w io.Writer) { _, _ = fmt.Fprintln(w, "sealane", doc.Version) })
		},
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "output format: table or json")
	return cmd
}
