package host

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/sealane/sealane/api"
)

// hint gives an error its kind where the kernel's errno tells it, and the missing
// capability by name, since "operation not permitted" helps nobody at 3 a.m.
func hint(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission) && !hasNetAdmin():
		return fmt.Errorf("%w: %w: CAP_NET_ADMIN", err, api.ErrPermission)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", err, api.ErrPermission)
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EPROTONOSUPPORT):
		return fmt.Errorf("%w: %w", err, api.ErrUnsupported)
	default:
		return err
	}
}

// noSubsystem reports whether an error says that the kernel has no nftables, or no ip_set.
// One without the module calls the whole message family invalid.
func noSubsystem(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EPROTONOSUPPORT)
}
