package host

import (
	"fmt"

	"github.com/google/nftables"
)

// readNative reads Docker's own nft table; nil if there is none.
func readNative() (*Native, error) {
	tables, err := nftTables()
	if err != nil {
		return nil, err
	}
	if !tables["docker-bridges"] {
		return nil, nil
	}
	if _, err := nftables.New(); err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return &Native{Drops: true}, nil
}
