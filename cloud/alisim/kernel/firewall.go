package kernel

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/google/nftables"
)

// Names of our nftables table, of family inet, and of what is in it. The maps from links to
// the chains of security groups are named after the direction.
const (
	tableName   = "simulated-vpc"
	chainIn     = "to-router"
	chainAcross = "across"
	chainOut    = "from-router"
	setVacant   = "vacant"   // links that lead to nobody
	setChecked  = "checked"  // links whose interface has the check on
	mapVPC      = "vpc"      // links to the numbers of their VPCs
	setSame     = "same-vpc" // each number, twice
)

// firewall keeps a filter in a table of nftables, which goes with the namespace.
type firewall struct {
	namespace int // file descriptor
	laid      filter
	traces    traces
}

// traces tell whether a table is as it was laid, as far as is cheap to know.
type traces struct {
	uses  uint32 // chains and sets of the table
	rules int    // of the chain that all packets walk
}

// keep makes the table like the filter, in one transaction, where it is not. It reports
// whether it had to.
func (f *firewall) keep(want filter) (changed bool, err error) {
	have, err := f.look()
	if err != nil {
		return false, fmt.Errorf("read nftables table %s: %w", tableName, err)
	}
	if have.uses > 0 && have == f.traces && reflect.DeepEqual(want, f.laid) {
		return false, nil
	}
	if err := f.lay(want); err != nil {
		return false, fmt.Errorf("write nftables table %s: %w", tableName, err)
	}
	f.laid = want
	if f.traces, err = f.look(); err != nil {
		return true, fmt.Errorf("read nftables table %s: %w", tableName, err)
	}
	return true, nil
}

func (f *firewall) dial() (*nftables.Conn, error) {
	return nftables.New(nftables.WithNetNSFd(f.namespace), nftables.WithSockOptions(roomy))
}

// roomy makes room for a batch, which goes out as one, and for the answers to it: there is
// one for each of its messages.
func roomy[C buffers](c C) error {
	return errors.Join(c.SetReadBuffer(8<<20), c.SetWriteBuffer(8<<20))
}

type buffers interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// look reads the traces of our table: none without one.
func (f *firewall) look() (traces, error) {
	conn, err := f.dial()
	if err != nil {
		return traces{}, err
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return traces{}, err
	}
	for _, t := range tables {
		if t.Name == tableName {
			rules, err := conn.GetRules(t, &nftables.Chain{Name: chainAcross, Table: t})
			return traces{t.Use, len(rules)}, err
		}
	}
	return traces{}, nil
}

// lay replaces the table as a whole.
func (f *firewall) lay(want filter) error {
	conn, err := f.dial()
	if err != nil {
		return err
	}
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	l := layer{conn: conn, table: table}
	if err := l.lay(want); err != nil {
		return err
	}
	return conn.Flush()
}
