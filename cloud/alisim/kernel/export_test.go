package kernel

import (
	"log/slog"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/sealane/sealane/cloud/alisim"
)

// TableName is that of our nftables table.
const TableName = tableName

// Passes returns a way to make the kernel like a state of the simulator, once.
func Passes(ns netns.NsHandle, handle *netlink.Handle, log *slog.Logger) func(alisim.Seed, map[string]Port) error {
	return router{handle, &firewall{namespace: int(ns)}, log}.syncKernel
}

// Pass is a first pass.
func Pass(ns netns.NsHandle, handle *netlink.Handle, world alisim.Seed, ports map[string]Port) error {
	return Passes(ns, handle, slog.New(slog.DiscardHandler))(world, ports)
}
