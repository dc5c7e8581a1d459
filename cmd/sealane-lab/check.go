package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cmd/cli"
	"github.com/sealane/sealane/deploy/lab"
)

func newCheck(f *labFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Ping and exchange over TCP between the containers of every pair of hosts",
		Long: `Ping and exchange over TCP between the containers of every ordered pair of hosts. SOURCE is
the address that the other end saw.

Exit code 0 only if every pair answered both; 7 otherwise, also of a lab with one host, which
has no pair. A lab that is not up yet is not checked: exit code 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckOutput(output); err != nil {
				return err
			}
			v, err := lab.ReadInventory(f.name)
			if err != nil {
				return err
			}
			if !v.Ready {
				return fmt.Errorf("check lab %s: it is not up yet; 'sealane-lab up' tells when it is", v.Name)
			}
			report := v.Check(cmd.Context(), 3*time.Second)
			if err := cli.PrintDocument(cmd.OutOrStdout(), output, report, func(w io.Writer) { reportRows(w, report) }); err != nil {
				return err
			}
			return exitOfReport(cmd.ErrOrStderr(), report)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "output format: table or json")
	return cmd
}

// exitOfReport is nil only for a report that proves that containers reach each other.
func exitOfReport(problems io.Writer, r lab.Report) error {
	if len(r.Pairs) == 0 {
		_, _ = fmt.Fprintln(problems, "one host: no pair to check")
	}
	if !r.OK() {
		return cli.Exit(api.ExitDegraded)
	}
	return nil
}

func reportRows(w io.Writer, r lab.Report) {
	cli.PrintRow(w, "FROM", "CONTAINER", "TO", "CONTAINER", "PING", "TCP", "SOURCE", "PROBLEM")
	for _, p := range r.Pairs {
		source := ""
		if p.Source.IsValid() {
			source = p.Source.String()
		}
		cli.PrintRow(w, p.From, p.FromAddr, p.To, p.ToAddr, yesOrNo(p.Ping), yesOrNo(p.TCP), source, p.Problem)
	}
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func newExec(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "exec HOST -- COMMAND [ARG...]",
		Short: "Run a command in a host's network namespace, with its Docker",
		Long: `Run a command in a host's network namespace, with DOCKER_HOST set to its engine. HOST is an
index, a name or an instance id. The exit code is the command's.`,
		Example: "  sealane-lab exec 1 -- ip route\n  sealane-lab exec host2 -- docker ps\n" +
			"  sealane-lab exec 1 -- docker exec web ping -c 3 10.1.0.2",
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := lab.ReadInventory(f.name)
			if err != nil {
				return err
			}
			host, err := v.Host(args[0])
			if err != nil {
				return err
			}
			return v.Exec(host, args[1:])
		},
	}
}
