package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealane/sealane/cmd/cli/clitest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sealane-lab": main})
}

// TestScripts runs sessions with the real command that need neither root nor a lab.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": clitest.Exits},
	})
}
