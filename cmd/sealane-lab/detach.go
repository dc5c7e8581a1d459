package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cmd/cli"
	"github.com/sealane/sealane/deploy/lab"
)

// upDetached starts this program again as the process that holds the lab, passes its
// progress on, and returns when the lab is up or that process has failed.
func upDetached(cmd *cobra.Command, f *labFlags) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// A file and no pipe: writing to a pipe whose reader has left would end the holder.
	log, err := os.CreateTemp("", "sealane-lab-")
	if err != nil {
		return fmt.Errorf("make a file for progress: %w", err)
	}
	defer func() { _ = log.Close() }()
	defer func() { _ = os.Remove(log.Name()) }()
	holder := exec.CommandContext(context.WithoutCancel(cmd.Context()), self, "up", "--held", "--name", f.name, "--hosts", fmt.Sprint(f.hosts),
		"--vpc", f.vpc, "--bip-pool", f.pool, "--engine", f.engine)
	holder.Stdout, holder.Stderr = log, log
	holder.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := holder.Start(); err != nil {
		return fmt.Errorf("start the lab's process: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- holder.Wait() }() // ends with the holder, or with this process
	return followHolder(cmd, f.name, holder.Process.Pid, log.Name(), ended)
}

func followHolder(cmd *cobra.Command, name string, pid int, log string, ended <-chan error) error {
	progress, err := os.Open(log)
	if err != nil {
		return fmt.Errorf("read progress: %w", err)
	}
	defer func() { _ = progress.Close() }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, _ = io.Copy(cmd.ErrOrStderr(), progress)
		if v, err := lab.ReadInventory(name); err == nil && v.Ready && v.Supervisor.PID == pid {
			return printAddress(cmd.OutOrStdout(), v.API)
		}
		select {
		case err := <-ended:
			_, _ = io.Copy(cmd.ErrOrStderr(), progress)
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				return cli.Exit(exit.ExitCode())
			}
			return fmt.Errorf("the lab's process ended: %w", errors.Join(err, api.ErrUnknown))
		case <-cmd.Context().Done():
			err := syscall.Kill(pid, syscall.SIGTERM)
			ended := <-ended // it takes down what it has built so far
			_, _ = io.Copy(cmd.ErrOrStderr(), progress)
			return fmt.Errorf("interrupted before the lab was up: %w", errors.Join(cmd.Context().Err(), err, ended))
		case <-tick.C:
		}
	}
}
