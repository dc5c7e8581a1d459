package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
)

// Hold takes the state directory for this process, until release is called or the process
// ends, however it ends: two that change one host would lose its former values. It waits a
// little for a process that was told to end just now. ErrRefused: another process holds it.
func Hold(ctx context.Context, stateDir string) (release func(), err error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("hold the state directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(stateDir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("hold the state directory: %w", err)
	}
	release = func() { _ = f.Close() } // which gives up the lock
	err = lock(ctx, f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := io.ReadAll(f) // it may not have written its number yet
		release()
		return nil, fmt.Errorf("sealane-agent is running with state directory %s (process %s); stop it first: %w",
			stateDir, cmp.Or(strings.TrimSpace(string(holder)), "not known"), api.ErrRefused)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("hold the state directory: %w", err)
	}
	return release, nil
}

// lock locks a file. The error is EWOULDBLOCK if another process keeps it locked.
func lock(ctx context.Context, f *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// Holder tells whether a process holds a state directory, and its number if it has written
// that. It changes nothing.
func Holder(stateDir string) (process string, running bool) {
	f, err := os.Open(filepath.Join(stateDir, "lock"))
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return "", false
	}
	text, _ := io.ReadAll(f)
	return strings.TrimSpace(string(text)), true
}
