package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/cmd/cli"
	"github.com/sealane/sealane/deploy/lab"
)

func newDemo(f *labFlags) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what sealane does: two hosts, step by step",
		Long: `Start two hosts whose containers do not reach each other, and show, step by step, what keeps
them apart and what brings them together: the routes that the controller writes, the security
group of the hosts, the source/destination check of their interfaces. Then show the status and
the address of the API, and stay up until Ctrl-C.

With --check the demo ends by itself: exit code 0 only if every step came out as it says.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			o.Foreign = []lab.ForeignRoute{{Destination: netip.MustParsePrefix("172.30.0.0/16"), Host: 1}}
			o.Isolated = true
			return withLab(cmd.Context(), o, func(ctx context.Context, l *lab.Lab) error {
				d := &demo{Lab: l, out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
				if err := d.showSteps(ctx); err != nil {
					return err
				}
				if check {
					return d.exit()
				}
				_, _ = fmt.Fprintln(d.progress, "the demo stays up until Ctrl-C; try in another terminal:", labHints(f.name))
				return l.Wait(ctx)
			})
		},
	}
	f.registerLayout(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "end when done; the exit code tells whether it worked")
	return cmd
}

// demo is a lab that is shown. Its steps are told in the order in which they happen.
type demo struct {
	*lab.Lab
	out, progress io.Writer
	wrong         []string   // steps that did not come out as told
	last          lab.Report // of the last step
}

// showSteps shows all steps.
func (d *demo) showSteps(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.showBefore, d.showGroup, d.showTogether, d.showCheck, d.showCheckOff, d.showStatus} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for _, w := range d.wrong {
		_, _ = fmt.Fprintln(d.progress, "not as it should be:", w)
	}
	return nil
}

// exit is nil only when all steps came out as told, and had pairs to prove it.
func (d *demo) exit() error {
	if len(d.wrong) > 0 {
		return cli.Exit(api.ExitDegraded)
	}
	return exitOfReport(d.progress, d.last)
}

// report shows who reaches whom, and notes when that is not as the title says.
func (d *demo) report(title string, r lab.Report, as func(lab.Report) bool) error {
	d.last = r
	if !as(r) {
		d.wrong = append(d.wrong, title)
	}
	return printSection(d.out, title, func(w io.Writer) { reportRows(w, r) })
}

func (d *demo) showBefore(ctx context.Context) error {
	return d.report("BEFORE: no agents, no controller, no routes", d.Inventory().Check(ctx, time.Second), lab.Report.Silent)
}

// awaitSettled checks until containers reach each other under their own addresses. Agents stop
// Docker's masquerade between the hosts once routes are there both ways and the cloud lets
// such packets pass.
func (d *demo) awaitSettled(ctx context.Context) lab.Report {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// The report tells whether they do. One host has no pair to wait for.
	r, _ := d.Await(ctx, sourcesKept)
	return r
}

// statusWhen reads the status until it is as wanted, for at most half a minute; then it is
// shown as it is. Packets flow a moment before the controller has published why.
func (d *demo) statusWhen(ctx context.Context, wanted func(api.Status) bool) (api.Status, error) {
	c, err := client.New(d.Inventory().API)
	if err != nil {
		return api.Status{}, err
	}
	patience, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		s, err := c.Status(ctx) // fails until a controller that has just started leads
		if err == nil && wanted(s) || patience.Err() != nil {
			return s, err
		}
		select {
		case <-patience.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// written reports whether the VPC has a route to every host of the lab.
func (d *demo) written(s api.Status) bool {
	return len(s.Routes) == len(d.Inventory().Hosts) && !slices.ContainsFunc(s.Routes, func(r api.RouteStatus) bool {
		return r.Stage == api.StageWanted
	})
}

// ready reports whether every host of the lab is.
func (d *demo) ready(s api.Status) bool {
	for _, h := range s.Hosts {
		if h.State != api.HostReady {
			return false
		}
	}
	return len(s.Hosts) == len(d.Inventory().Hosts)
}

func (d *demo) showStatus(ctx context.Context) error {
	if _, err := d.statusWhen(ctx, func(s api.Status) bool { return d.ready(s) && len(s.Findings) == 0 }); err != nil {
		return err
	}
	address := d.Inventory().API
	if _, err := fmt.Fprintln(d.out, "STATUS: sealane status --server "+address); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, d.Program("sealane"), "status", "--server", address)
	cmd.Stdout, cmd.Stderr = d.out, d.progress
	err := cmd.Run()
	if _, degraded := errors.AsType[*exec.ExitError](err); err != nil && !degraded {
		return fmt.Errorf("show the status: %w", err)
	}
	if _, err := fmt.Fprintln(d.out); err != nil {
		return err
	}
	return printAddress(d.out, address)
}

func printSection(w io.Writer, title string, rows func(io.Writer)) error {
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
