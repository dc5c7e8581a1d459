package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

// cleanup needs no registry and no identity, so that it works when all else is gone. A
// running agent would put back what it undoes, and take that for the former values.
func cleanup(cmd *cobra.Command, f *flags) error {
	log, err := prepare(cmd, f, false)
	if err != nil {
		return err
	}
	options, err := f.hostOptions(log)
	if err != nil {
		return err
	}
	h := machine.New(options)
	lacks := slices.DeleteFunc(h.Missing(cmd.Context()), func(what string) bool { return !strings.HasPrefix(what, "CAP_") })
	if len(lacks) > 0 {
		return fmt.Errorf("this process lacks %s; start it as root: %w", strings.Join(lacks, " and "), api.ErrPermission)
	}
	if f.dryRun {
		steps, err := h.PlanRestore(cmd.Context())
		return printSteps(cmd.OutOrStdout(), steps, err, "nothing to undo")
	}
	release, err := state.Hold(cmd.Context(), f.stateDir)
	if err != nil {
		return err
	}
	defer release()
	undone, err := h.Restore(cmd.Context())
	if forgotten := os.Remove(identityPath(f.stateDir)); !errors.Is(forgotten, fs.ErrNotExist) {
		err = errors.Join(err, forgotten)
	}
	for _, u := range undone {
		_, _ = fmt.Fprintln(cmd.OutOrStdout(), u)
	}
	if len(undone) == 0 && err == nil {
		_, _ = fmt.Fprintln(cmd.OutOrStdout(), "nothing to undo")
	}
	return err
}

// preview prints what the agent would do if it started now.
func preview(cmd *cobra.Command, f *flags) error {
	look, err := f.openHost(cmd)
	if err != nil {
		return err
	}
	defer look.close()
	steps, err := agent.Preview(cmd.Context(), look.config, look.host, look.registry)
	return printSteps(cmd.OutOrStdout(), steps, err, "nothing to do")
}

// printSteps prints steps as a script one could type, each with what it is for.
func printSteps(out io.Writer, steps []host.Step, err error, nothing string) error {
	var b strings.Builder
	for _, s := range steps {
		for _, r := range s.Repairs {
			fmt.Fprintf(&b, "# %s\n", r)
		}
		if s.Command != "" {
			fmt.Fprintln(&b, s.Command)
		}
	}
	if b.Len() == 0 && err == nil {
		fmt.Fprintf(&b, "# %s\n", nothing)
	}
	if _, failed := io.WriteString(out, b.String()); failed != nil {
		return failed
	}
	return err
}
