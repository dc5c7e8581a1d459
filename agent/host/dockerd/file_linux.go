package dockerd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/state"
)

func sameContent(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// readOptions reads the file where it really is; content nil: there is none.
func readOptions(path string) (where string, content *string, err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if err != nil {
		return path, nil, fmt.Errorf("read dockerd's options: %w", kernel.Explain(err))
	}
	text := string(data)
	return path, &text, nil
}

// writeOptions makes it durable that the file has this content, with its mode kept; nil
// removes it.
func writeOptions(path string, content *string) error {
	if content == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove dockerd's options: %w", kernel.Explain(err))
		}
		return nil
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = state.WriteFile(path, []byte(*content), mode)
	}
	if err != nil {
		return fmt.Errorf("write dockerd's options: %w", kernel.Explain(err))
	}
	return nil
}

// hasFlag reports whether dockerd was given an option on its command line: the one in our
// network namespace, or one of which that cannot be told.
func hasFlag(option string) bool {
	own, _ := os.Readlink("/proc/thread-self/ns/net")
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, name := range names {
		if comm, err := os.ReadFile(name); err != nil || string(comm) != "dockerd\n" {
			continue
		}
		of := filepath.Dir(name)
		if ns, err := os.Readlink(filepath.Join(of, "ns", "net")); err == nil && ns != own {
			continue
		}
		line, err := os.ReadFile(filepath.Join(of, "cmdline"))
		if err != nil {
			continue // it ended just now
		}
		for arg := range bytes.SplitSeq(line, []byte{0}) {
			flag, _, _ := strings.Cut(string(arg), "=")
			if flag == "--"+option {
				return true
			}
		}
	}
	return false
}
