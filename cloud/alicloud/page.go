package alicloud

import (
	"fmt"
	"io"

	"github.com/sealane/sealane/api"
)

// byToken reads a list that is paged by tokens. page gets the token and returns the next.
func byToken(page func(token string) (string, error)) error {
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

// byNumber reads a list that is paged by numbers. page returns how many entries it got
// and how many there are in all.
func byNumber(page func(number int) (got, total int, err error)) error {
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
