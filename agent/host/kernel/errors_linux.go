// Package kernel tells what this process may ask of the kernel, and what the kernel's errors
// mean. The rooms of a host use it where they call the kernel.
package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
)

// Explain gives an error its kind where the kernel's errno tells it, and the missing
// capability by name, since "operation not permitted" helps nobody at 3 a.m.
func Explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission) && !Capable(unix.CAP_NET_ADMIN):
		return fmt.Errorf("%w: %w: CAP_NET_ADMIN", err, api.ErrPermission)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", err, api.ErrPermission)
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EPROTONOSUPPORT):
		return fmt.Errorf("%w: %w", err, api.ErrUnsupported)
	default:
		return err
	}
}

// Lacks reports whether an error says that the kernel has no nftables, or no ip_set.
// One without the module calls the whole message family invalid.
func Lacks(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EPROTONOSUPPORT)
}

// Wrap says what was being done when an error came, and explains it; nil stays nil.
func Wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, Explain(err))
}

// Capable reports whether this process has a capability, by number.
func Capable(capability uint) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}

// ExplainCommand is Explain for a command that was run for its output: it adds what the
// command said to its exit code.
func ExplainCommand(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return Explain(err)
}
