package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

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
