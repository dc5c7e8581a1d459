package machine

import (
	"fmt"
	"reflect"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

const (
	setFrom = "localnets"
	setTo   = "remotenets"
)

// findTable is the table of that name; nil if there is none.
func findTable(conn *nftables.Conn, f host.Family, name string) (*nftables.Table, error) {
	tables, err := conn.ListTablesOfFamily(nftFamily(f))
	if kernel.Lacks(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", kernel.Explain(err))
	}
	for _, t := range tables {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, nil
}

func sameExprs(have, want []expr.Any) bool {
	for _, e := range have {
		switch e := e.(type) {
		case *expr.NAT:
			// The kernel reports the range's end, and that an address is given, as well.
			*e = expr.NAT{Type: e.Type, Family: e.Family, RegAddrMin: e.RegAddrMin}
		case *expr.Lookup:
			e.SetID = 0
		}
	}
	return reflect.DeepEqual(have, want)
}
