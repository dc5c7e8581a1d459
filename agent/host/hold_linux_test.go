package host_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	release, err := host.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = host.Hold(dir)
	if !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("held twice: %v, want a refusal that names process %d", err, os.Getpid())
	}
	release()
	if release, err = host.Hold(dir); err != nil {
		t.Fatalf("not to be held again: %v", err)
	}
	release()
}
