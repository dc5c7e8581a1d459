package machine

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/iptables"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/api"
)

// Watch says when something changed that our pass looks at: a bridge's address, forwarding
// or a filter, or any rule of nftables. It only wakes; several changes may be one wake. The channel
// closes when the context ends. What nobody announces (iptables-legacy, ipset) is looked at
// every few seconds; all else is left to the caller's timer if the kernel refuses to be
// listened to.
func (h *Host) Watch(ctx context.Context) <-chan struct{} {
	wake := make(chan struct{}, 1)
	wakeUp := func() {
		select {
		case wake <- struct{}{}:
		default: // one is waiting already
		}
	}
	var readers sync.WaitGroup
	var sockets []*nl.NetlinkSocket
	listen := func(protocol int, matters func(syscall.NetlinkMessage) bool, groups ...uint) {
		s, err := nl.Subscribe(protocol, groups...)
		if err != nil {
			h.log().Warn("host changes are seen by the timer only", api.KeyError, err)
			return
		}
		sockets = append(sockets, s)
		readers.Go(func() { h.follow(ctx, s, matters, wakeUp) })
	}
	listen(unix.NETLINK_ROUTE, h.routeMatters, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF, unix.RTNLGRP_TC)
	listen(unix.NETLINK_NETFILTER, h.firewallMatters, nft.Group)
	if h.opts.Engine != nil {
		readers.Go(func() { h.opts.Engine.Follow(ctx, wakeUp) })
	}
	readers.Go(func() { h.glance(ctx, wakeUp) })
	readers.Go(func() { h.routes.Follow(ctx, wakeUp) })
	go func() {
		<-ctx.Done()
		for _, s := range sockets {
			s.Close()
		}
		readers.Wait()
		close(wake)
	}()
	return wake
}

// follow reads until the context ends and the socket with it. Should the socket fail before,
// the operator is told.
func (h *Host) follow(ctx context.Context, s kernel.Receiver, matters func(syscall.NetlinkMessage) bool, wake func()) {
	if err := kernel.ReadMessages(s, matters, wake); ctx.Err() == nil {
		h.log().Warn("host changes are seen by the timer only", api.KeyError, err)
	}
}

// routeMatters lets addresses through, and forwarding, reverse path filters and lost traffic
// filters for all interfaces and those we serve: the ones of others change with every
// container.
func (h *Host) routeMatters(m syscall.NetlinkMessage) bool {
	switch m.Header.Type {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return true
	case unix.RTM_DELQDISC, unix.RTM_DELTFILTER:
		const index = 4 // in struct tcmsg
		return len(m.Data) >= index+4 && h.serves(int(int32(binary.NativeEndian.Uint32(m.Data[index:]))))
	case unix.RTM_NEWNETCONF:
		const header = 4                                               // struct netconfmsg with its padding
		const attrIndex, attrForwarding, attrFilter, all = 1, 2, 3, -1 // NETCONFA_*
		index, ok := kernel.Attribute(m.Data, header, attrIndex)
		_, forwarding := kernel.Attribute(m.Data, header, attrForwarding)
		_, filter := kernel.Attribute(m.Data, header, attrFilter)
		if !ok || len(index) != 4 || !forwarding && !filter {
			return false
		}
		number := int(int32(binary.NativeEndian.Uint32(index)))
		return number == all || h.serves(number)
	default:
		return false
	}
}

func (h *Host) serves(index int) bool {
	served := h.served.Load()
	return served != nil && slices.Contains(*served, index)
}

// serve notes the interfaces of a wish for Watch.
func (h *Host) serve(w host.Wish) {
	var indices []int
	for _, name := range w.Links() {
		if link, err := netlink.LinkByName(name); err == nil {
			indices = append(indices, link.Attrs().Index)
		}
	}
	h.served.Store(&indices)
}

// firewallMatters lets through the end of each transaction of nftables, whatever the table
// and whoever made it, but for ours. It remembers who made one while we are not at it
// ourselves, by iptables.
func (h *Host) firewallMatters(m syscall.NetlinkMessage) bool {
	change, ends := nft.ReadTransaction(m)
	if !ends || h.system.Made(change.PID) {
		return false
	}
	if change.Command != "" && !h.applying.Load() {
		h.writer.Store(&change.Command)
	}
	return true
}

// glancePause is the time between two looks at what nobody announces: at the sets each
// time, at the rules of the legacy variant, which takes a command, every second time.
const glancePause = 10 * time.Second

// glance wakes when the sets, or the rules of the legacy variant, are others than at the
// last look.
func (h *Host) glance(ctx context.Context, wake func()) {
	tick := time.NewTicker(glancePause)
	defer tick.Stop()
	seed := maphash.MakeSeed()
	var sets, rules uint64
	for look := 0; ; look++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed := false
		if now := iptables.SumSets(seed); now != sets {
			changed, sets = true, now
		}
		if look%2 == 0 {
			// An error is for a pass to tell, which looks closer.
			if now, err := h.legacySum(ctx, seed); err == nil && now != rules {
				changed, rules = true, now
			}
		}
		if changed && look > 0 {
			wake()
		}
	}
}

// legacySum is a sum over those legacy rules that matter to ours.
func (h *Host) legacySum(ctx context.Context, seed maphash.Seed) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules.SumLegacy(ctx, seed)
}
