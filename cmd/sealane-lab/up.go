package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab"
)

// labFlags say what lab to build.
type labFlags struct {
	name, vpc, pool, engine string
	hosts                   int
}

func (f *labFlags) registerName(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "name", lab.DefaultName, "name of the lab; several can be up at once")
}

func (f *labFlags) registerLayout(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.hosts, "hosts", 2, fmt.Sprintf("number of hosts, 1 to %d", lab.MaxHosts))
	cmd.Flags().StringVar(&f.vpc, "vpc", "192.168.0.0/16", "range of the VPC")
	cmd.Flags().StringVar(&f.pool, "bip-pool", "10.0.0.0/8", "range that the hosts' bips come from")
	cmd.Flags().StringVar(&f.engine, "engine", string(lab.EngineAuto), "what runs containers: docker, netns, or auto: docker where it can be had")
}

// options turns the flags into what the lab takes. Progress goes to out.
func (f *labFlags) options(out io.Writer) (lab.Options, error) {
	o := lab.Options{Name: f.name, Hosts: f.hosts, Engine: lab.EngineKind(f.engine), Out: out}
	if f.hosts < 1 { // 0 would mean the default
		return o, fmt.Errorf("--hosts %d: a lab has 1 to %d: %w", f.hosts, lab.MaxHosts, api.ErrUsage)
	}
	var vpcErr, poolErr error
	o.VPC, vpcErr = prefixFlag("vpc", f.vpc)
	o.BipPool, poolErr = prefixFlag("bip-pool", f.pool)
	return o, errors.Join(vpcErr, poolErr)
}

func prefixFlag(name, text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("--%s %q: not a prefix like 10.0.0.0/8: %w", name, text, api.ErrUsage)
	}
	return p, nil
}

func newUp(f *labFlags) *cobra.Command {
	var detach, held bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a lab and keep it up until Ctrl-C",
		Long: `Start a lab and keep it up until Ctrl-C. With --detach it runs on in the background until
'sealane-lab down'. When everything is up, the address of the controller's API is printed.`,
		Example: "  sealane-lab up --hosts 3\n  sealane-lab up --detach && sealane-lab check",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if detach {
				return upDetached(cmd, f)
			}
			return withLab(cmd.Context(), o, func(ctx context.Context, l *lab.Lab) error {
				if _, err := l.Start(ctx); err != nil {
					return err
				}
				if held { // the process that started this one tells
					return l.Wait(ctx)
				}
				if err := printAddress(cmd.OutOrStdout(), l.Inventory().API); err != nil {
					return err
				}
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "the lab stays up until Ctrl-C; try in another terminal:", labHints(f.name))
				return l.Wait(ctx)
			})
		},
	}
	f.registerLayout(cmd)
	cmd.Flags().BoolVar(&detach, "detach", false, "return when the lab is up, and leave it up")
	cmd.Flags().BoolVar(&held, "held", false, "")
	_ = cmd.Flags().MarkHidden("held") // it fails for a flag that is not there
	return cmd
}

// withLab brings a lab up, runs fn, and takes the lab down whatever happens. An interrupt
// is a failure of what it cut short; fn returns nil where it only ends the lab's being up.
func withLab(ctx context.Context, o lab.Options, fn func(context.Context, *lab.Lab) error) error {
	l, err := lab.Up(ctx, o)
	if err != nil {
		return err
	}
	if err = fn(ctx, l); err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted before the lab was done: %w", err)
	}
	_, _ = fmt.Fprintln(o.Out, "taking the lab down")
	return errors.Join(err, l.Down(context.WithoutCancel(ctx)))
}

func printAddress(w io.Writer, address string) error {
	_, err := fmt.Fprintf(w, "API %s\n", address)
	return err
}

// labHints are the commands that show a lab at work.
func labHints(name string) string {
	suffix := ""
	if name != lab.DefaultName {
		suffix = " --name " + name
	}
	return strings.Join([]string{"sealane-lab check" + suffix, "sealane-lab exec 1" + suffix + " -- docker ps"}, "; ")
}

func newDown(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Take a lab away with all that belongs to it, also after a crash",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return lab.Down(cmd.Context(), f.name) },
	}
}
