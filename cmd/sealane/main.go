// Command sealane is the operator's tool: it shows what is wanted, written and working, and
// waits for hosts to become reachable.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/cmd/cli"
)

func main() { os.Exit(cli.Main(newRoot(), cli.OS(), os.Args[1:])) }

// options are the flags every command of the controller's API takes.
type options struct {
	server string
	output string
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "sealane",
		Short: "Containers on plain Docker hosts reach each other through the VPC's own routes",
		Long: `sealane shows and steers the routes that let containers on plain Docker hosts in one VPC
reach each other.

Every flag can also be given by an environment variable: --server is SEALANE_SERVER.

Exit codes: 0 fine; 1 error; 2 wrong usage; 3 timed out; 4 refused (conflict, overlap, quota,
policy); 5 unreachable (controller, registry, cloud); 6 plan: there are changes; 7 degraded.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, cmd := range []*cobra.Command{newStatus(o), newHosts(o), newRoutes(o), newPlan(o), newWait(o)} {
		cmd.Flags().StringVar(&o.server, "server", "http://127.0.0.1:8480", "address of any controller replica")
		cmd.Flags().StringVarP(&o.output, "output", "o", "table", "output format: table or json")
		root.AddCommand(cmd)
	}
	root.AddCommand(newVersion(o), newMoved("lab", "sealane-lab"), newMoved("sim", "sealane-lab sim"))
	return root
}

// newMoved tells who types a command that was once here where it is now.
func newMoved(name, now string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true, // so that whatever follows the name, this is said
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%q is a command of its own now: %s; see '%s --help': %w", name, now, now, api.ErrUsage)
		},
	}
}

// client checks the flags that all commands share, then connects nothing yet.
func (o *options) client() (*client.Client, error) {
	if err := o.checkOutput(); err != nil {
		return nil, err
	}
	c, err := client.New(o.server)
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	return c, nil
}
