package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/deploy/lab"
)

func newLabDemo(f *labFlags) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what sealane does: two hosts before and after",
		Long: `Start two hosts whose containers do not reach each other, start agents and a controller, and
show that they do; then show the status and the address of the API, and stay up until Ctrl-C.

With --check the demo ends by itself: exit code 0 only if no pair answered before and every
pair did after.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			o.Foreign = []lab.ForeignRoute{{Destination: netip.MustParsePrefix("172.30.0.0/16"), Host: 1}}
			return withLab(cmd.Context(), o, func(ctx context.Context, l *lab.Lab) error {
				return demo(ctx, l, cmd.OutOrStdout(), cmd.ErrOrStderr(), check)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "end when done; the exit code tells whether it worked")
	return cmd
}

func demo(ctx context.Context, l *lab.Lab, out, progress io.Writer, check bool) error {
	before := l.Inventory().Check(ctx, time.Second)
	if err := section(out, "BEFORE: no agents, no controller", func(w io.Writer) { reportRows(w, before) }); err != nil {
		return err
	}
	if _, err := l.Start(ctx); err != nil {
		return err
	}
	address := l.Inventory().API
	status, err := settledStatus(ctx, address)
	if err != nil {
		return err
	}
	after := settledReport(ctx, l)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := section(out, "AFTER: the controller wrote the VPC routes that the agents asked for", func(w io.Writer) { reportRows(w, after) }); err != nil {
		return err
	}
	if err := section(out, "STATUS: sealane status --server "+address, func(w io.Writer) { statusRows(w, status, time.Now()) }); err != nil {
		return err
	}
	if err := announce(out, address); err != nil {
		return err
	}
	if check {
		if !before.Silent() {
			return exitOf(api.ExitDegraded)
		}
		return verdict(progress, after)
	}
	_, _ = fmt.Fprintln(progress, "the demo stays up until Ctrl-C; try in another terminal:", hints(l.Inventory().Name))
	return l.Wait(ctx)
}

// settledReport checks again when agents have had the time to stop Docker's masquerade
// between the hosts, which they do once routes are there both ways.
func settledReport(ctx context.Context, l *lab.Lab) lab.Report {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	// The report tells whether they did. One host has no pair to wait for.
	r, _ := l.Await(ctx, func(r lab.Report) bool { return r.SourcesKept() || len(r.Pairs) == 0 })
	return r
}

// settledStatus reads the status when the controller has published that every host is
// ready; packets flow a moment before it has.
func settledStatus(ctx context.Context, address string) (api.Status, error) {
	c, err := client.New(address)
	if err != nil {
		return api.Status{}, err
	}
	patience, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		s, err := c.Status(ctx)
		if err != nil {
			return s, err
		}
		if allReady(s) || patience.Err() != nil {
			return s, ctx.Err()
		}
		select {
		case <-patience.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func allReady(s api.Status) bool {
	for _, h := range s.Hosts {
		if h.State != api.HostReady {
			return false
		}
	}
	return len(s.Hosts) > 0
}

func section(w io.Writer, title string, rows func(io.Writer)) error {
	if _, err := fmt.Fprintln(w, title); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	rows(tw)
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
