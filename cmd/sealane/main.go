// Command sealane is the operator's tool: it shows what is wanted, written and working, waits
// for hosts to become reachable, and runs a whole cluster or the cloud simulator on one machine.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

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
	root.AddCommand(newVersion(o), newSim(), newLab())
	return root
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
