package main

import (
	"testing"

	"github.com/sealane/sealane/cmd/cli/clitest"
)

func TestReference(t *testing.T) { clitest.CheckReference(t, newLab()) }
