package state_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	release, err := state.Hold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	hasty, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = state.Hold(hasty, dir)
	if !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("held twice: %v, want a refusal that names process %d", err, os.Getpid())
	}
	time.AfterFunc(100*time.Millisecond, release)
	if release, err = state.Hold(t.Context(), dir); err != nil {
		t.Fatalf("not to be held again: %v", err)
	}
	release()
}
