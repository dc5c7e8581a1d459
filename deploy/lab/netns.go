package lab

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

const netnsDir = "/run/netns"

func netnsPath(namespace string) string { return filepath.Join(netnsDir, namespace) }

// inside runs fn on a thread that is in the network namespace at path. fn must not start
// goroutines that expect to be there too.
func inside(path string, fn func() error) error {
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

// makeNamespace makes a named network namespace with its loopback up.
func makeNamespace(name string) error {
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

// removeNamespace removes the name; the namespace ends with its last process.
func removeNamespace(name string) error {
	path := netnsPath(name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}

// namespacesOf lists the named namespaces of a lab.
func namespacesOf(lab string) ([]string, error) {
	entries, err := os.ReadDir(netnsDir)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), namespaceName(lab, "")) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// setting is one sysctl, by its path under /proc/sys.
type setting struct{ path, value string }

// sysctl writes settings of the network namespace at path.
func sysctl(path string, settings ...setting) error {
	return inside(path, func() error {
		for _, s := range settings {
			if err := os.WriteFile("/proc/sys/"+s.path, []byte(s.value), 0); err != nil {
				return fmt.Errorf("set %s to %s: %w", s.path, s.value, err)
			}
		}
		return nil
	})
}

// listenInside opens a TCP listener in the namespace; the listener may be used anywhere.
func listenInside(ctx context.Context, path, address string) (net.Listener, error) {
	var ln net.Listener
	err := inside(path, func() error {
		var err error
		ln, err = new(net.ListenConfig).Listen(ctx, "tcp4", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ln, nil
}

// dialInside connects from inside the namespace; the connection may be used anywhere. The
// address is numeric: net resolves names, and races address families, on other threads.
func dialInside(ctx context.Context, path, address string) (net.Conn, error) {
	var conn net.Conn
	err := inside(path, func() error {
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", address)
		return err
	})
	return conn, err
}
