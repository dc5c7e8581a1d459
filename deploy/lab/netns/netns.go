// Package netns makes network namespaces, their links and addresses, and works inside them
// while the rest of the process stays where it is.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// directory is where ip-netns(8) keeps names.
const directory = "/run/netns"

// Path is that of a named namespace.
func Path(name string) string { return filepath.Join(directory, name) }

// Inside runs fn on a thread that is in the network namespace at path. fn must not start
// goroutines that expect to be there too.
func Inside(path string, fn func() error) error {
	there, err := netns.GetFromPath(path)
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", path, err)
	}
	defer func() { _ = there.Close() }()
	return onOwnThread(func() error {
		if err := netns.Set(there); err != nil {
			return fmt.Errorf("enter namespace %s: %w", path, err)
		}
		return fn()
	})
}

// onOwnThread runs fn on a thread whose network namespace fn may change. The thread is
// given back in its old namespace, or not at all.
func onOwnThread(fn func() error) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("find this thread's namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	failure := fn()
	if err := netns.Set(home); err != nil {
		return errors.Join(failure, fmt.Errorf("return from a namespace: %w", err))
	}
	runtime.UnlockOSThread()
	return failure
}

// Make makes a named network namespace with its loopback up.
func Make(name string) error {
	if err := shareNames(); err != nil {
		return err
	}
	err := onOwnThread(func() error {
		ns, err := netns.NewNamed(name)
		if err != nil {
			return err
		}
		return ns.Close()
	})
	if err != nil {
		return fmt.Errorf("make namespace %s: %w", name, err)
	}
	return nil
}

// shareNames makes the directory of names a shared mount of itself, as the first "ip netns add"
// does (iproute2, ip/ipnetns.c): made later than our names, that mount would hide them, and
// nobody could remove them any more. It stays, as iproute2's does.
func shareNames() error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("make the directory of namespaces: %w", err)
	}
	share := func() error { return unix.Mount("", directory, "", unix.MS_SHARED|unix.MS_REC, "") }
	err := share()
	if errors.Is(err, unix.EINVAL) { // it is no mount
		if err = unix.Mount(directory, directory, "", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = share()
		}
	}
	if err != nil {
		return fmt.Errorf("share %s: %w", directory, err)
	}
	return nil
}

// Remove removes the name; the namespace ends with its last process.
func Remove(name string) error {
	path := Path(name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}

// ListNames lists the named namespaces whose names begin so.
func ListNames(prefix string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// WriteSettings writes sysctls of the network namespace at path, each as its path under
// /proc/sys, an equals sign and the value.
func WriteSettings(path string, settings ...string) error {
	return Inside(path, func() error {
		for _, s := range settings {
			key, value, _ := strings.Cut(s, "=")
			if err := os.WriteFile("/proc/sys/"+key, []byte(value), 0); err != nil {
				return fmt.Errorf("set %s to %s: %w", key, value, err)
			}
		}
		return nil
	})
}

// ListenTCP opens a TCP listener in the namespace; the listener may be used anywhere.
func ListenTCP(ctx context.Context, path, address string) (net.Listener, error) {
	var ln net.Listener
	err := Inside(path, func() error {
		var err error
		ln, err = new(net.ListenConfig).Listen(ctx, "tcp4", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ln, nil
}

// DialTCP connects from inside the namespace; the connection may be used anywhere. The
// address is numeric: net resolves names, and races address families, on other threads.
func DialTCP(ctx context.Context, path, address string) (net.Conn, error) {
	var conn net.Conn
	err := Inside(path, func() error {
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", address)
		return err
	})
	return conn, err
}
