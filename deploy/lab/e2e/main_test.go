package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/deploy/lab/engine"
)

// binEnv names the directory of the programs under test. TestMain builds them unless it is
// set from outside.
const binEnv = "SEALANE_E2E_BIN"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() || os.Geteuid() != 0 || os.Getenv(binEnv) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "sealane-e2e-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = build(dir)
	}
	if err == nil {
		err = os.Setenv(binEnv, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build builds what the tests start as processes of their own.
func build(dir string) error {
	for name, pkg := range map[string]string{
		"sealane":            "github.com/sealane/sealane/cmd/sealane",
		"sealane-agent":      "github.com/sealane/sealane/cmd/sealane-agent",
		"sealane-lab":        "github.com/sealane/sealane/cmd/sealane-lab",
		"sealane-controller": "github.com/sealane/sealane/cmd/sealane-controller",
		"etcd":               "go.etcd.io/etcd/server/v3",
	} {
		tags := "grpcnotrace" // as make build does
		if name == "sealane-agent" {
			tags += ",nethttpomithttp2"
		}
		cmd := exec.Command("go", "build", "-tags", tags, "-o", filepath.Join(dir, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

// need skips a test by name where its surroundings are missing.
func need(t *testing.T, tools ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes: left out under -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: not found", tool)
		}
	}
}

func needDocker(t *testing.T) {
	t.Helper()
	need(t)
	if absent := engine.MissingForDocker(); len(absent) > 0 {
		t.Skipf("needs Docker: %s", strings.Join(absent, ", "))
	}
}

func program(name string) string { return filepath.Join(os.Getenv(binEnv), name) }
