package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

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
			return clean.run(cmd.Context(), c)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be undone")
	// These have no meaning here: the registry says.
	for _, name := range []string{"pool", "policy", "manage"} {
		_ = cmd.Flags().MarkHidden(name) // it fails for a flag that is not there
	}
	return cmd
}

func (c cleanup) run(ctx context.Context, settings config) error {
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
	return c.undo(ctx, snap, provider, provider)
}

// undo removes and switches on; it goes on after an error, and returns all of them.
func (c cleanup) undo(ctx context.Context, snap api.Snapshot, tables cloud.Tables, gates cloud.Gates) error {
	if snap.Config != nil && len(snap.Config.Manage) > 0 {
		return fmt.Errorf("the leader manages %v: take that off first, with sealane-controller configure --manage=: %w", snap.Config.Manage, api.ErrRefused)
	}
	var ids []api.InstanceID
	for _, h := range snap.Hosts {
		ids = append(ids, h.Instance)
	}
	instances, err := tables.Instances(ctx, ids)
	if err != nil {
		return err
	}
	var errs []error
	for _, group := range groupsOf(instances) {
		errs = append(errs, c.step(fmt.Sprintf("remove the rules of cluster %s from security group %s", c.cluster, group), func() error {
			_, err := gates.Revoke(ctx, group, c.cluster)
			return err
		}))
	}
	if snap.Pass != nil {
		for _, eni := range snap.Pass.Opened {
			errs = append(errs, c.step(fmt.Sprintf("switch on the source/destination check of %s", eni), func() error {
				return gates.SetSourceCheck(ctx, eni, true)
			}))
		}
	}
	return errors.Join(errs...)
}

func (c cleanup) step(what string, do func() error) error {
	if c.dryRun {
		_, _ = fmt.Fprintln(c.out, "would "+what)
		return nil
	}
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	_, _ = fmt.Fprintln(c.out, what)
	return nil
}

// groupsOf are the security groups of these instances, sorted.
func groupsOf(instances []cloud.Instance) []api.GroupID {
	groups := map[api.GroupID]bool{}
	for _, i := range instances {
		for _, n := range append([]cloud.Interface{i.Interface}, i.Others...) {
			for _, g := range n.Groups {
				groups[g] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(groups))
}
