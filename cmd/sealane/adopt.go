package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
	"github.com/sealane/sealane/cmd/cli"
)

// adoption is what routes adopt works on.
type adoption struct {
	cluster   string
	endpoints []string
	confirm   string
	marked    bool
	output    options
}

// candidate is a foreign route where the cluster wants a route of its own.
type candidate struct {
	Is     api.Route `json:"is"`
	Wanted api.Route `json:"wanted"`
}

func (c candidate) String() string {
	whose := ""
	switch {
	case c.Is.Spoiled:
		whose = ", with a mark of sealane that was copied, edited, or sealed with another key"
	case !c.Is.Mark.IsZero():
		whose = ", which is marked for cluster " + c.Is.Mark.Cluster
	}
	return fmt.Sprintf("adopt %s (%s%s), which becomes %s for %s", c.Is, c.Is.ID, whose, c.Wanted, c.Wanted.Mark.Host)
}

// adoptDocument is the JSON of routes adopt.
type adoptDocument struct {
	Schema   string      `json:"schema"` // api.SchemaAdopt
	Routes   []candidate `json:"routes"`
	Confirm  string      `json:"confirm,omitempty"` // id that gives exactly these routes to sealane
	Recorded bool        `json:"recorded"`          // they were given
}

func newAdopt() *cobra.Command {
	a := &adoption{}
	cmd := &cobra.Command{
		Use:   "adopt [DESTINATION]...",
		Short: "Give foreign routes to sealane, where it wants routes of its own",
		Long: `Give foreign routes to sealane, where it wants routes of its own.

Without --confirm, shows the routes that are in the way, all or those of the given
destinations, and what would become of each. With the id that this prints, records that they
may be taken over: the controller then marks each in place and points it at the host that owns
the subnet, if it still is what was shown. A route that changed since is left alone.

Exit code 6 when there is something to confirm, 4 when the routes are no longer those of the
id.`,
		Example: `  sealane routes adopt
  sealane routes adopt 10.0.3.0/24
  sealane routes adopt 10.0.3.0/24 --confirm 1f2e3d4c5b6a`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.output.checkOutput(); err != nil {
				return err
			}
			return a.adoptRoutes(cmd.Context(), cmd.OutOrStdout(), args)
		},
	}
	cmd.Flags().StringVar(&a.cluster, "cluster", "default", "name of the cluster")
	cmd.Flags().StringSliceVar(&a.endpoints, "etcd-endpoints", []string{"http://127.0.0.1:2379"}, "etcd that holds the registry; repeatable")
	cmd.Flags().BoolVar(&a.marked, "marked", false, "also routes with a mark of another cluster, or one that does not fit")
	cmd.Flags().StringVar(&a.confirm, "confirm", "", "id of the routes that may be taken over")
	cmd.Flags().StringVarP(&a.output.output, "output", "o", "table", "output format: table or json")
	return cmd
}

func (a *adoption) adoptRoutes(ctx context.Context, out io.Writer, args []string) error {
	if err := cli.CheckCluster(a.cluster); err != nil {
		return err
	}
	only, err := parseDestinations(args)
	if err != nil {
		return err
	}
	client, err := etcd.Dial(a.endpoints, etcd.Options{})
	if err != nil {
		return fmt.Errorf("--etcd-endpoints: %w: %w", err, api.ErrUsage)
	}
	defer func() { _ = client.Close() }()
	reg := registry.New(client, a.cluster)
	snap, err := reg.Snapshot(ctx)
	if err != nil {
		return err
	}
	doc, err := a.foreignIn(snap, only)
	if err != nil {
		return err
	}
	if a.confirm != "" {
		if err := a.recordAdoption(ctx, reg, &doc); err != nil {
			return err
		}
	}
	if err := a.output.print(out, doc, func(w io.Writer) { writeAdoption(w, doc) }); err != nil {
		return err
	}
	if doc.Confirm != "" && !doc.Recorded {
		return cli.Exit(api.ExitChanges)
	}
	return nil
}

// recordAdoption writes the operator's word, if it is for exactly these routes.
func (a *adoption) recordAdoption(ctx context.Context, reg *registry.Registry, doc *adoptDocument) error {
	if a.confirm != doc.Confirm {
		return fmt.Errorf("--confirm %s: these are not the routes of that id any more; look again without --confirm: %w", a.confirm, api.ErrRefused)
	}
	_, err := reg.UpdateConfig(ctx, func(c *api.Config) error {
		for _, e := range doc.Routes {
			c.Adopt = slices.DeleteFunc(c.Adopt, func(o api.Adoption) bool {
				return o.Table == e.Is.Table && o.Destination == e.Is.Destination
			})
			c.Adopt = append(c.Adopt, api.Adoption{Table: e.Is.Table, Destination: e.Is.Destination, NextHop: e.Is.NextHop, ID: e.Is.ID})
		}
		return c.Validate()
	})
	doc.Recorded = err == nil
	return err
}

// foreignIn finds in the last plan what foreign routes hold up.
func (a *adoption) foreignIn(snap api.Snapshot, only []netip.Prefix) (adoptDocument, error) {
	doc := adoptDocument{Schema: api.SchemaAdopt, Routes: []candidate{}}
	if snap.Pass == nil {
		return doc, fmt.Errorf("no controller has made a pass yet, so nothing is known of the route tables: %w", api.ErrNotFound)
	}
	missing := slices.Clone(only)
	var lines []string
	for _, h := range snap.Pass.Plan.Held {
		at := h.Change.Route.Destination
		if h.Reason != api.ReasonForeignRoute || h.Change.Was == nil || len(only) > 0 && !slices.Contains(only, at) {
			continue
		}
		if was := h.Change.Was; !a.marked && (was.Spoiled || !was.Mark.IsZero()) {
			if len(only) > 0 {
				return doc, fmt.Errorf("%s carries a mark of sealane: another controller may want it; see whose it is, then add --marked: %w", was, api.ErrRefused)
			}
			continue
		}
		c := candidate{Is: *h.Change.Was, Wanted: h.Change.Route}
		doc.Routes = append(doc.Routes, c)
		lines = append(lines, c.String())
		missing = slices.DeleteFunc(missing, func(p netip.Prefix) bool { return p == at })
	}
	if len(missing) > 0 && snap.Pass.Omitted > 0 {
		return doc, fmt.Errorf("%s is not among what the last pass could publish (%d lines of it were left out): %w", missing[0], snap.Pass.Omitted, api.ErrNotFound)
	}
	if len(missing) > 0 {
		return doc, fmt.Errorf("no foreign route for %s is in the way of a route of ours, as of the last pass: %w", missing[0], api.ErrNotFound)
	}
	if len(lines) > 0 {
		sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
		doc.Confirm = hex.EncodeToString(sum[:6])
	}
	return doc, nil
}

func parseDestinations(args []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, arg := range args {
		p, err := netip.ParsePrefix(arg)
		if err != nil {
			return nil, fmt.Errorf("%q is not a destination like 10.0.3.0/24: %w", arg, api.ErrUsage)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func writeAdoption(w io.Writer, doc adoptDocument) {
	for _, e := range doc.Routes {
		_, _ = fmt.Fprintln(w, e)
	}
	switch {
	case len(doc.Routes) == 0:
		_, _ = fmt.Fprintln(w, "no foreign route is in the way")
	case doc.Recorded:
		_, _ = fmt.Fprintln(w, "recorded; the controller takes them over in its next pass")
	default:
		_, _ = fmt.Fprintf(w, "to let sealane have them, the same again with --confirm %s\n", doc.Confirm)
	}
}
