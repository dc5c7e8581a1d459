package main

import (
	"testing"

	"github.com/sealane/sealane/cmd/cli"
	"github.com/sealane/sealane/cmd/cli/clitest"
)

func TestReference(t *testing.T) { clitest.CheckReference(t, newController(cli.OS())) }
