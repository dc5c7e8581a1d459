// Package nft keeps our tables of nftables, and tells what is in those of others. A table of
// ours is one value ([Table]), which is written as text in one transaction of the command nft
// and read back from its JSON. What was read holds for as long as the kernel counts no change,
// so that an idle host starts no command.
//
// Everything acts in the network namespace of the calling thread.
package nft

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// ID names a table.
type ID struct {
	Family string // as nft calls it: ip, ip6, inet, arp, bridge or netdev
	Name   string
}

// String is the table as nft's text names it, behind the word table.
func (id ID) String() string { return id.Family + " " + id.Name }

// Found is a table that is there.
type Found struct {
	ID
	Dormant bool // it is asleep: the kernel asks none of its chains
}

// System is what a client asks of the kernel and of the command. Tests put one of their own
// in place of [Real].
type System interface {
	// Generation is the kernel's count of changes to nftables in this network namespace,
	// whoever made them and in whatever table.
	Generation() (uint32, error)
	// Tables are all tables of this network namespace; no command is needed for it.
	Tables() ([]Found, error)
	// Command runs nft with this input and these arguments, and returns what it printed.
	// ErrUnsupported: there is no such command.
	Command(ctx context.Context, input string, args ...string) ([]byte, error)
	// Installed is nil if there is such a command.
	Installed() error
}

// Client reads and writes nftables. It is for one goroutine at a time.
type Client struct {
	system  System
	count   uint32       // the kernel's when the following was read
	names   []Found      // of all tables; nil if not read
	ruleset string       // empty if not read
	tables  map[ID]State // of ours, as last read or written
}

// New returns a client of a system. It reads and changes nothing yet.
func New(s System) *Client { return &Client{system: s, tables: map[ID]State{}} }

// forget has what was read before the kernel's last change read again. known is false on a
// kernel without nftables.
func (c *Client) forget() (known bool, err error) {
	count, known, err := c.Generation()
	if known && count != c.count {
		c.count, c.names, c.ruleset = count, nil, ""
		clear(c.tables)
	}
	return known, err
}

// Absent is why this host has no nftables that we can write; nil if it has.
func (c *Client) Absent() error {
	if _, err := c.system.Generation(); kernel.Lacks(err) {
		return fmt.Errorf("the kernel has no nf_tables: %w", api.ErrUnsupported)
	} else if err != nil {
		return err
	}
	return c.system.Installed()
}

// Generation is the kernel's count of changes. It is not known on a kernel without nftables,
// where nothing ever changes.
func (c *Client) Generation() (count uint32, known bool, err error) {
	count, err = c.system.Generation()
	if kernel.Lacks(err) {
		return 0, false, nil
	}
	return count, err == nil, err
}

// Tables are all tables, whoever made them; none on a kernel without nftables. They are told
// also where the command is missing.
func (c *Client) Tables() ([]Found, error) {
	known, err := c.forget()
	if err != nil || !known {
		return nil, err
	}
	if c.names == nil {
		all, err := c.system.Tables()
		if err != nil {
			return nil, err
		}
		c.names = append([]Found{}, all...)
	}
	return c.names, nil
}

// Has reports whether there is this table.
func (c *Client) Has(id ID) (bool, error) {
	all, err := c.Tables()
	return slices.ContainsFunc(all, func(f Found) bool { return f.ID == id }), err
}

// Named reports whether there is a table of that name, in whatever family.
func (c *Client) Named(name string) (bool, error) {
	all, err := c.Tables()
	return slices.ContainsFunc(all, func(f Found) bool { return f.Name == name }), err
}

// Check asks whether the kernel would take a transaction, and changes nothing.
func (c *Client) Check(ctx context.Context, text string) error {
	_, err := c.system.Command(ctx, text, "-c", "-f", "-")
	return err
}

// Run makes a transaction of nft's text: all of it, or nothing.
func (c *Client) Run(ctx context.Context, text string) error {
	_, err := c.system.Command(ctx, text, "-f", "-")
	return err
}
