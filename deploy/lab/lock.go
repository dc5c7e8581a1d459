package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// withLabLock runs fn while no other lab of this machine begins or ends: names and the hidden
// directories belong to all of them. The lock is on the directory of all labs, so that it
// leaves nothing behind and ends with the process.
func withLabLock(ctx context.Context, fn func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		root, err := tryLock()
		if err != nil {
			return fmt.Errorf("lock %s: %w", runRoot, err)
		}
		if root != nil {
			defer func() { _ = root.Close() }()
			return fn()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for another lab to begin or end: %w", context.Cause(ctx))
		}
	}
}

// tryLock gives nil when another holds the lock, or removed the directory meanwhile.
func tryLock() (*os.File, error) {
	if err := os.MkdirAll(runRoot, 0o755); err != nil {
		return nil, err
	}
	root, err := os.Open(runRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(root.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil && sameFile(root, runRoot) {
		return root, nil
	}
	_ = root.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = nil
	}
	return nil, err
}

func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}
