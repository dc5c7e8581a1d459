// Package clitest adds to testscript what the scripts of the sealane commands need.
package clitest

import (
	"errors"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// Exits is the script command "exits CODE COMMAND...": it runs the command and fails unless it
// exits with the code. stdout and stderr can be looked at afterwards.
func Exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("exits: %v", err)
	}
	err = ts.Exec(args[1], args[2:]...)
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case failed && exit.ExitCode() == want, err == nil && want == 0:
	case failed:
		ts.Fatalf("exit code %d, want %d", exit.ExitCode(), want)
	default:
		ts.Fatalf("exit code 0 or none, want %d: %v", want, err)
	}
}
