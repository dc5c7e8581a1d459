package call

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/sealane/sealane/api"
)

// ReadByToken reads a list that is paged by tokens. page gets the token and returns the next.
func ReadByToken(page func(token string) (string, error)) error {
	seen := map[string]bool{}
	for token := ""; ; {
		next, err := page(token)
		if err != nil || next == "" {
			return err
		}
		if seen[next] {
			return fmt.Errorf("page token came twice: %w", api.ErrUnreachable)
		}
		seen[next] = true
		token = next
	}
}

// ReadByNumber reads a list that is paged by numbers. page returns how many entries it got
// and how many there are in all.
func ReadByNumber(page func(number int) (got, total int, err error)) error {
	for number, have := 1, 0; ; number++ {
		got, total, err := page(number)
		if err != nil {
			return err
		}
		have += got
		if have >= total {
			return nil
		}
		if got == 0 {
			return fmt.Errorf("the list ends after %d of %d entries: %w: %w", have, total, api.ErrUnreachable, io.ErrUnexpectedEOF)
		}
	}
}

// ParsePrefix reads a range of the cloud. A bare address is a range of one.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("the cloud answered with range %.40q: %w", text, api.ErrUnreachable)
	}
	return p.Masked(), nil
}
