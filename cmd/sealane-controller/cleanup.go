package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud"
	"github.com/sealane/sealane/cmd/cli"
)

// cleanup undoes what the controller managed beside routes.
type cleanup struct {
	cluster string
	dryRun  bool
	out     io.Writer
}

func newCleanup(s cli.Streams) *cobra.Command {
	f, dryRun := &flags{configured: true}, false
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Undo what the controller changed beside routes: rules of security groups, source checks",
		Long: `Undo what --manage let the controller change: remove the rules that it added to security
groups, and switch on again the source/destination checks that it switched off. Rules of
others stay. Routes are not touched: they go with their hosts, see sealane-agent leave.

Take everything off --manage first (sealane-controller configure --manage=), or the leader
would do it all again.`,
		Example: "  sealane-controller cleanup --vpc vpc-8vb1example --region cn-zhangjiakou --etcd-endpoints http://10.1.2.3:2379 --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.parse(s.Getenv)
			if err != nil {
				return err
			}
			if len(c.etcdEndpoints) == 0 {
				c.etcdEndpoints = []string{c.etcdListen.String()}
			}
			clean := cleanup{cluster: c.cluster, dryRun: dryRun, out: cmd.OutOrStdout()}
			return clean.undoManaged(cmd.Context(), c)
		},
	}
	f.registerFlags(cmd.Flags())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be undone")
	// These have no meaning here: the registry says.
	for _, name := range []string{"pool", "policy", "manage"} {
		_ = cmd.Flags().MarkHidden(name) // it fails for a flag that is not there
	}
	return cmd
}

func (c cleanup) undoManaged(ctx context.Context, settings config) error {
	provider, err := alicloud.New(settings.cloud)
	if err != nil {
		return fmt.Errorf("--region, --vpc, --endpoint: %w: %w", err, api.ErrUsage)
	}
	defer provider.Close()
	client, err := etcd.Dial(settings.etcdEndpoints, etcd.Options{})
	if err != nil {
		return fmt.Errorf("--etcd-endpoints: %w: %w", err, api.ErrUsage)
	}
	defer func() { _ = client.Close() }()
	snap, err := registry.New(client, c.cluster).Snapshot(ctx)
	if err != nil {
		return err
	}
	return c.undo(ctx, snap, provider)
}

// undo removes and switches on what is on record as the controller's; it goes on after an
// error, and returns all of them. What is gone from the cloud needs nothing.
func (c cleanup) undo(ctx context.Context, snap api.Snapshot, gates cloud.Gates) error {
	switch {
	case !snap.Complete():
		return fmt.Errorf("the registry has records that cannot be read, %s among them: nothing is undone on half the knowledge: %w", snap.Unreadable[0].Key, api.ErrRefused)
	case snap.Config == nil || snap.Pass == nil:
		return fmt.Errorf("the registry holds no pass of a controller of cluster %s: is the name right? %w", c.cluster, api.ErrNotFound)
	case len(snap.Config.Manage) > 0:
		return fmt.Errorf("the leader manages %v: take that off first, with sealane-controller configure --manage=: %w", snap.Config.Manage, api.ErrRefused)
	}
	var errs []error
	for _, group := range snap.Pass.Admitted {
		errs = append(errs, c.step(fmt.Sprintf("remove our rules from security group %s", group), func() (bool, error) {
			n, err := gates.Revoke(ctx, group, c.cluster, cloud.Always)
			return n > 0, err
		}))
	}
	for _, eni := range snap.Pass.Opened {
		errs = append(errs, c.step(fmt.Sprintf("switch on the source/destination check of %s", eni), func() (bool, error) {
			return gates.SetSourceCheck(ctx, eni, true, cloud.Always)
		}))
	}
	if len(errs) == 0 {
		_, _ = fmt.Fprintln(c.out, "nothing to undo: the controller changed nothing beside routes")
	}
	return errors.Join(errs...)
}

// step undoes one thing, or says that it would.
func (c cleanup) step(what string, do func() (changed bool, err error)) error {
	if c.dryRun {
		_, _ = fmt.Fprintln(c.out, "would "+what)
		return nil
	}
	changed, err := do()
	switch {
	case errors.Is(err, api.ErrNotFound):
		what += ": it is gone"
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case !changed:
		what += ": there was nothing left to do"
	}
	_, _ = fmt.Fprintln(c.out, what)
	return nil
}
