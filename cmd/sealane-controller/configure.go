package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
	"github.com/sealane/sealane/cmd/cli"
)

// settings are the flags of configure. Only those that were given change anything.
type settings struct {
	cluster    string
	endpoints  []string
	pools      []string
	policy     string
	sourceMode string
	maxDeletes int
	maxShare   float64
	confirm    string
	manage     []string
	accept     int64
	changed    func(flag string) bool
}

func newConfigure() *cobra.Command {
	s := &settings{}
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Show the cluster's configuration in the registry, or change it",
		Long: `Show the cluster's configuration, which the registry holds and every controller and agent
follows. With flags, change those settings first; the others stay. A change works at once,
without a restart.`,
		Example: `  sealane-controller configure --etcd-endpoints http://10.1.2.3:2379
  sealane-controller configure --policy full
  sealane-controller configure --manage security-group,source-dest-check
  sealane-controller configure --confirm 1f2e3d4c5b6a   # the deletes that a plan holds`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.changed = cmd.Flags().Changed
			return s.configureCluster(cmd.Context(), cmd.OutOrStdout())
		},
	}
	s.registerFlags(cmd.Flags())
	return cmd
}

func (s *settings) registerFlags(set *pflag.FlagSet) {
	set.StringVar(&s.cluster, "cluster", "default", "name of the cluster")
	set.StringSliceVar(&s.endpoints, "etcd-endpoints", []string{"http://127.0.0.1:2379"}, "etcd that holds the registry; repeatable")
	set.StringSliceVar(&s.pools, "pool", nil, "range that subnets may come from; repeatable; replaces all pools")
	set.StringVar(&s.policy, "policy", "", "observe, create-only, no-delete or full")
	set.StringVar(&s.sourceMode, "source-mode", "", "keep or masquerade: whose address containers show to other hosts")
	set.IntVar(&s.maxDeletes, "max-deletes", 0, "routes that one pass may delete without confirmation")
	set.Float64Var(&s.maxShare, "max-delete-share", 0, "the same as a share of all routes, 0 to 1; the larger counts")
	set.StringSliceVar(&s.manage, "manage", nil, "what else of the cloud the controller may change: source-dest-check, security-group; repeatable; replaces the list")
	set.Int64Var(&s.accept, "accept-generation", 0, "routes of this generation may be newer than the registry: it was restored or replaced on purpose")
	set.StringVar(&s.confirm, "confirm", "", "id of deletes that a plan holds for the budget: let exactly these through")
}

func (s *settings) configureCluster(ctx context.Context, out io.Writer) error {
	if err := cli.CheckCluster(s.cluster); err != nil {
		return err
	}
	client, err := etcd.Dial(s.endpoints, etcd.Options{})
	if err != nil {
		return fmt.Errorf("--etcd-endpoints: %w: %w", err, api.ErrUsage)
	}
	defer func() { _ = client.Close() }()
	reg := registry.New(client, s.cluster)
	config, err := s.updateConfig(ctx, reg)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the configuration: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

// updateConfig writes the settings that were given, if any, and returns the configuration.
func (s *settings) updateConfig(ctx context.Context, reg *registry.Registry) (api.Config, error) {
	if changes, err := s.apply(&api.Config{}); err != nil {
		return api.Config{}, err
	} else if !changes {
		config, err := reg.Config(ctx)
		if errors.Is(err, api.ErrNotFound) {
			err = fmt.Errorf("cluster %s has no configuration yet; the first controller writes one, or set --pool here: %w", s.cluster, err)
		}
		return config, err
	}
	return reg.UpdateConfig(ctx, func(c *api.Config) error {
		if _, err := s.apply(c); err != nil {
			return err
		}
		if err := c.Validate(); err != nil {
			return fmt.Errorf("%w: %w", err, api.ErrUsage)
		}
		return nil
	})
}

// apply changes what flags name and reports whether there was one.
func (s *settings) apply(c *api.Config) (changed bool, err error) {
	set := func(flag string, change func()) {
		if s.changed(flag) {
			change()
			changed = true
		}
	}
	set("policy", func() { c.Policy = api.Policy(s.policy) })
	set("source-mode", func() { c.SourceMode = api.SourceMode(s.sourceMode) })
	set("max-deletes", func() { c.Guard.MaxDeletes = s.maxDeletes })
	set("max-delete-share", func() { c.Guard.MaxDeleteShare = s.maxShare })
	set("confirm", func() { c.Confirmed = s.confirm })
	set("manage", func() { c.Manage = managedList(s.manage) })
	if s.changed("accept-generation") && s.accept < 0 {
		return false, fmt.Errorf("--accept-generation %d: want the number that the finding SL-F113 names: %w", s.accept, api.ErrUsage)
	}
	set("accept-generation", func() { c.Accepted = s.accept })
	set("pool", func() { c.Pools, err = parsePools(s.pools) })
	return changed, err
}

// managed is the list that a flag names, each once. Whether there is such a thing is the
// configuration's to say.
func managedList(names []string) []api.Manage {
	var list []api.Manage
	for _, name := range names {
		if m := api.Manage(name); name != "" && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

func parsePools(texts []string) ([]netip.Prefix, error) {
	var pools []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--pool %q: not a prefix like 10.0.0.0/8: %w", text, api.ErrUsage)
		}
		pools = append(pools, p)
	}
	return pools, nil
}
