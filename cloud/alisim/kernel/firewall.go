package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Names of our nftables table, of family inet, and of what is in it. The maps from links to
// the chains of security groups are named after the direction.
const (
	tableName   = "simulated-vpc"
	chainIn     = "to-router"
	chainAcross = "across"
	chainOut    = "from-router"
	setVacant   = "vacant"  // links that lead to nobody
	setChecked  = "checked" // links whose interface has the check on
	mapVPC      = "vpc"     // links to the chains of their VPCs, which are named after it
)

// firewall keeps a filter in a table of nftables, which goes with the namespace.
type firewall struct {
	namespace  int // file descriptor
	laid       filter
	generation uint32 // of the namespace's nftables when laid was written; 0: who knows
}

// syncTable makes the table like the filter, in one transaction, where it is not. It reports
// whether it had to. As any transaction of anybody begins a new generation of the namespace's
// nftables, what is in the table need not be read: it is written again after each.
func (f *firewall) syncTable(want filter) (changed bool, err error) {
	before, err := f.readGeneration()
	if err != nil {
		return false, fmt.Errorf("read generation of nftables: %w", err)
	}
	if before == f.generation && reflect.DeepEqual(want, f.laid) {
		return false, nil
	}
	if err := f.writeTable(want); err != nil {
		return false, fmt.Errorf("write nftables table %s: %w", tableName, err)
	}
	after, err := f.readGeneration()
	if err != nil {
		return true, fmt.Errorf("read generation of nftables: %w", err)
	}
	f.laid, f.generation = want, after
	if after != before+1 {
		f.generation = 0 // somebody wrote meanwhile
	}
	return true, nil
}

func (f *firewall) dialTable() (*nftables.Conn, error) {
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

// readGeneration reads the generation, which is never 0.
func (f *firewall) readGeneration() (uint32, error) {
	socket, err := nl.GetNetlinkSocketAt(netns.NsHandle(f.namespace), netns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return 0, err
	}
	defer socket.Close()
	ask := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
	ask.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_NETFILTER: {Socket: socket}}
	ask.AddRawData(make([]byte, nl.SizeofNfgenmsg)) // of no family
	answers, err := ask.Execute(unix.NETLINK_NETFILTER, unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN)
	if err != nil {
		return 0, err
	}
	for _, a := range answers {
		fields, err := nl.ParseRouteAttrAsMap(a[nl.SizeofNfgenmsg:])
		if err != nil {
			return 0, err
		}
		if id := fields[unix.NFTA_GEN_ID].Value; len(id) == 4 {
			return binary.BigEndian.Uint32(id), nil
		}
	}
	return 0, errors.New("the kernel does not tell it")
}

// writeTable replaces the table as a whole.
func (f *firewall) writeTable(want filter) error {
	conn, err := f.dialTable()
	if err != nil {
		return err
	}
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	l := layer{conn: conn, table: table}
	if err := l.queueFilter(want); err != nil {
		return err
	}
	return conn.Flush()
}
