package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A lab that falls back tells what is wrong with the busybox that is there.
func TestNoBusyboxTellsWhy(t *testing.T) {
	for want, dynamic := range map[string][]string{
		"static busybox: not found":           nil,
		"/bin/busybox needs shared libraries": {"/bin/busybox"},
	} {
		if got := noBusybox(dynamic).Error(); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %q, want %q", dynamic, got, want)
		}
	}
}

func TestStaticWantsAProgram(t *testing.T) {
	script := filepath.Join(t.TempDir(), "busybox")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{script, script + ".missing"} {
		if isStatic(path) {
			t.Errorf("%s is taken for a static program", path)
		}
	}
}
