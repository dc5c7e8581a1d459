// Command sealane-agent runs on every Docker host: it keeps the host forwarding between
// containers of different hosts, and reports the host's subnets to the registry.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cmd/cli"
)

func main() {
	quiet()
	frugal()
	os.Exit(cli.Main(newRoot(), cli.OS(), os.Args[1:]))
}

func newRoot() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:   "sealane-agent",
		Short: "Keep a Docker host forwarding between containers, and report its subnets",
		Long: `sealane-agent runs on every Docker host. It reads the subnets of the host's Docker bridges and
reports them to the registry in etcd, turns forwarding on, and lets traffic between our
subnets through Docker's firewall, with rules of its own that 'sealane-agent cleanup' takes
away again. Who the host is, it asks the instance metadata service; on a machine without one,
give --instance, --vpc, --vswitch and --ip.

Every flag can also be given by an environment variable: --etcd-endpoints is
SEALANE_ETCD_ENDPOINTS.

Exit codes: 0 fine; 1 error; 2 wrong usage; 4 refused; 5 unreachable (registry, metadata).`,
		Example: "  sealane-agent --etcd-endpoints http://192.168.0.10:2379",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd, f) },
	}
	f.register(root.PersistentFlags())
	root.PersistentFlags().BoolVar(&f.dryRun, "dry-run", false, "change nothing: print what run or cleanup would do, as commands one could type")
	root.AddCommand(
		&cobra.Command{
			Use: "run", Short: "Tend the host until stopped (this is what happens without a command, too)", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, f) },
		},
		&cobra.Command{
			Use: "cleanup", Short: "Undo everything the agent changed on this host; stop the agent first", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return cleanup(cmd, f) },
		},
		newDoctor(f),
		&cobra.Command{
			Use: "leave", Short: "Take this host out of service: release its subnets, so that its routes are withdrawn", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return leave(cmd, f) },
		},
		&cobra.Command{
			Use: "version", Short: "Show the version", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "sealane-agent", cli.Version())
				return err
			},
		},
	)
	return root
}
