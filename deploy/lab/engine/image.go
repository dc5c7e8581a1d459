package engine

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// What the service of every Docker container has besides.
const (
	LargePath = "/large" // answers with LargeSize zeros
	LargeSize = 300_000
)

const (
	peerScript = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' \"$REMOTE_ADDR\"\n"
)

// findBusybox finds a busybox that needs no shared libraries: the image holds nothing else.
func findBusybox() (string, error) {
	var dynamic []string
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static", "/usr/local/bin/busybox"} {
		if isStatic(path) {
			return path, nil
		}
		if _, err := os.Stat(path); err == nil {
			dynamic = append(dynamic, path)
		}
	}
	return "", noBusybox(dynamic)
}

// noBusybox tells why none will do: Debian's package busybox installs a dynamic one.
func noBusybox(dynamic []string) error {
	if len(dynamic) > 0 {
		return fmt.Errorf("%s needs shared libraries: %w", dynamic[0], api.ErrUnsupported)
	}
	return fmt.Errorf("static busybox: %w", api.ErrNotFound)
}

// isStatic reports whether the file is an executable without interpreter.
func isStatic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

// imageTar is the root file system of a container: busybox, a name for each applet that
// is used, and the service's script.
func imageTar(busybox string) ([]byte, error) {
	binary, err := os.ReadFile(busybox)
	if err != nil {
		return nil, fmt.Errorf("read busybox: %w", err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	var failures []error
	add := func(h tar.Header, body string) {
		h.Size = int64(len(body))
		if err := w.WriteHeader(&h); err != nil {
			failures = append(failures, err)
			return
		}
		if _, err := w.Write([]byte(body)); err != nil {
			failures = append(failures, err)
		}
	}
	for _, dir := range []string{"bin/", "tmp/", "www/", "www/cgi-bin/"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}, "")
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, string(binary))
	for _, applet := range []string{"sh", "ls", "cat", "ip", "nc", "ping", "ps", "sleep", "traceroute", "wget"} {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox", Mode: 0o777}, "")
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "www" + probe.PeerPath, Mode: 0o755}, peerScript)
	add(tar.Header{Typeflag: tar.TypeReg, Name: "www" + LargePath, Mode: 0o644}, strings.Repeat("\x00", LargeSize))
	failures = append(failures, w.Close())
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("make the containers' image: %w", err)
	}
	return buf.Bytes(), nil
}
