package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
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

// hideScript starts dockerd so that it sees nothing of the machine's own Docker: an
// engine would share a containerd that it finds at its default socket, keeps a key in
// /etc/docker, and containerd makes /opt/containerd. The mounts are in a mount namespace
// that ends with dockerd and what it started.
const hideScript = `for d in ` + hiddenDirs + `; do
	mount -t tmpfs tmpfs "$d" || exit 1
done
exec "$@"`

const hiddenDirs = "/run/containerd /etc/docker /opt/containerd"

// madePath notes which of the hidden directories the machine did not have. It belongs to
// all labs: removing a directory would take it from under another lab's mount.
const madePath = runRoot + "/.made"

// makeHidden makes the directories that hideScript mounts over. The caller holds the labs' lock.
func makeHidden() error {
	var made []string
	for dir := range strings.FieldsSeq(hiddenDirs) {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make %s for Docker: %w", dir, err)
		}
		made = append(made, dir)
	}
	if len(made) == 0 {
		return nil
	}
	if err := os.WriteFile(madePath, []byte(strings.Join(made, " ")), 0o600); err != nil {
		return fmt.Errorf("note the directories made for Docker: %w", err)
	}
	return nil
}

// unmakeHidden removes them again when no lab is left, and with them the directory of all
// labs. What is not empty stays: others put it to use. The caller holds the labs' lock.
func unmakeHidden() error {
	entries, err := os.ReadDir(runRoot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for other labs: %w", err)
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() }) {
		return nil
	}
	made, err := os.ReadFile(madePath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read which directories were made for Docker: %w", err)
	}
	for dir := range strings.FieldsSeq(string(made)) {
		_ = os.Remove(dir)
	}
	_ = os.Remove(madePath)
	_ = os.Remove(runRoot)
	return nil
}

// isRoot reports whether this process may make namespaces.
func isRoot() bool { return os.Geteuid() == 0 }
