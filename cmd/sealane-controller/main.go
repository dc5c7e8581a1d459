// Command sealane-controller programs the VPC route tables. Start as many replicas as you like:
// one leads, all of them answer over HTTP.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cmd/cli"
)

func main() { os.Exit(cli.Main(newController(cli.OS()), cli.OS(), os.Args[1:])) }

func newController(s cli.Streams) *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:   "sealane-controller",
		Short: "Program the VPC route tables toward the hosts that own the subnets",
		Long: `sealane-controller reads what the agents report in etcd, and programs the route tables of one
VPC so that each reported subnet leads to its host. It never touches a route that is not its
own. With --etcd-endpoints it uses that etcd, and several replicas may run, of which one
leads; without, it runs an etcd of its own for a single replica.

Every flag can also be given by an environment variable: --policy is SEALANE_POLICY. The
cloud's key is read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for
temporary keys, ALIBABA_CLOUD_SECURITY_TOKEN, or from --credentials-file, or taken from the
instance's --ram-role; it is never a flag. The file is the vendor's: a profile [default] with
access_key_id, access_key_secret and security_token, or the JSON of an STS answer. It must not
be open to every user, and may be replaced at any time.`,
		Example: "  sealane-controller --vpc vpc-8vb1example --region cn-zhangjiakou --pool 10.0.0.0/8",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.parse(s.Getenv)
			if err != nil {
				return err
			}
			log, err := cli.Logger(cmd.ErrOrStderr(), f.logLevel, f.logFormat)
			if err != nil {
				return err
			}
			return runController(cmd.Context(), c, log)
		},
	}
	f.registerFlags(root.Flags())
	root.AddCommand(newConfigure(), newCleanup(s), &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "sealane-controller", cli.Version())
			return err
		},
	})
	return root
}
