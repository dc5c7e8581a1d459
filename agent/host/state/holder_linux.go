package state

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

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
