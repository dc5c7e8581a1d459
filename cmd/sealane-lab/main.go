// Command sealane-lab runs a whole cluster on this machine, to try things on, and the cloud
// simulator alone.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cmd/cli"
)

func main() { os.Exit(cli.Main(newLab(), cli.OS(), os.Args[1:])) }

func newLab() *cobra.Command {
	f := &labFlags{}
	root := &cobra.Command{
		Use:   "sealane-lab",
		Short: "Run a whole cluster on this machine: hosts with Docker, a simulated VPC, agents, controller",
		Long: `Run a whole cluster on this machine, in network namespaces: a simulated Alibaba Cloud VPC
that really forwards packets, hosts that each run a Docker engine, agents and a controller.
'sealane-lab sim' is the simulated cloud alone.

The machine's own firewall, routes and Docker are not touched. The lab needs root. Without a
Docker engine plain namespaces stand in as containers.

Every flag can also be given by an environment variable: --hosts is SEALANE_HOSTS.

Exit codes: 0 fine; 1 error; 2 wrong usage; 3 timed out; 4 refused; 5 unreachable; 7 containers
do not reach each other as they should.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, cmd := range []*cobra.Command{newUp(f), newDemo(f), newCheck(f), newExec(f), newDown(f)} {
		f.registerName(cmd)
		root.AddCommand(cmd)
	}
	root.AddCommand(newSim(), &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "sealane-lab", cli.Version())
			return err
		},
	})
	return root
}
