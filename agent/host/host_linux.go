package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
)

// Host is the machine, seen from the network namespace of the calling process.
type Host struct {
	opts Options

	mu        sync.Mutex // one change at a time; guards all below
	mem       *memory    // nil until first needed
	prints    map[string][]string
	read      map[family]reading
	legacy    map[family]*firewall // as read by this call
	standards map[string]Variant
	standard  Variant           // of them, the one that counts now
	planned   map[string]former // sysctls to be set before the file that makes them last
	freed     bool              // the engine will go by its former options once the steps planned are done
	found     map[string]string // commands, by name
	listing   listing
	asking    asking
	tables    sight[map[string]bool] // of nftables, by name
	source    [2]sight[source]       // what keeps source addresses, of both families
	docker    sight[*dockerTable]
	marks     [2]sight[marking] // of both families
	redirect  *redirect         // as last read or made

	applying atomic.Bool            // changes of nftables are ours now
	served   atomic.Pointer[[]int]  // the interfaces whose settings matter, by index; nil before the first wish
	writer   atomic.Pointer[string] // who made one otherwise; nil if nobody was seen to
}

// New returns the host. It reads and changes nothing yet.
func New(opts Options) *Host {
	return &Host{opts: opts, prints: map[string][]string{}, read: map[family]reading{}, legacy: map[family]*firewall{}, standards: map[string]Variant{}, found: map[string]string{}, planned: map[string]former{}}
}

// Facts reads the host. The address ip, the host's private one, tells the uplink. Without
// the means to look at the firewall, named in Missing, the rest is still told.
func (h *Host) Facts(ctx context.Context, ip netip.Addr) (Facts, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.legacy)
	lacks, blind := h.missing()
	f := Facts{Kernel: kernelRelease(), Missing: lacks, BridgeNetfilter: bridgeNetfilter()}
	forwarding, err := readSysctl(ipForward)
	if err != nil {
		return Facts{}, err
	}
	f.Forwarding = forwarding == "1"
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return Facts{}, fmt.Errorf("list addresses: %w", err)
	}
	if f.Bridges, err = bridges(addrs); err != nil {
		return Facts{}, err
	}
	if f.Uplink, f.UplinkMAC, err = uplink(ip, addrs); err != nil {
		return Facts{}, err
	}
	if f.ReversePath, err = reversePath(f.Uplink); err != nil {
		return Facts{}, err
	}
	h.ask(ctx, &f)
	if err = h.lookAtFirewall(ctx, &f); blind {
		err = nil // Missing says why it cannot be looked at
	}
	return f, err
}

// lookAtFirewall tells as much as can be seen, even when it fails.
func (h *Host) lookAtFirewall(ctx context.Context, f *Facts) error {
	d, err := h.detect(ctx)
	if err != nil {
		d.native, _ = h.readNative() // needs no command
		d.docker, d.shielded = d.native != nil, d.native != nil
	}
	d.tell(f)
	if link, missing := netlink.LinkByName(f.Uplink); missing == nil && d.native != nil {
		have, readable, failed := h.attached(link)
		f.Redirect = failed == nil && (have != nil || !readable)
	}
	var failure error
	f.Kept, failure = h.kept()
	if writer := h.writer.Load(); writer != nil {
		f.Writer = *writer
	}
	return errors.Join(err, failure)
}

// bridges are all Linux bridges, by name, with their addresses.
func bridges(addrs []netlink.Addr) ([]Bridge, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var found []Bridge
	for _, link := range links {
		if link.Type() != "bridge" {
			continue
		}
		b := Bridge{Name: link.Attrs().Name, Up: link.Attrs().OperState == netlink.OperUp}
		for _, a := range addrs {
			if a.LinkIndex == link.Attrs().Index && !a.IP.IsLinkLocalUnicast() {
				b.Addresses = append(b.Addresses, prefixOf(a))
			}
		}
		slices.SortFunc(b.Addresses, api.ComparePrefixes)
		found = append(found, b)
	}
	slices.SortFunc(found, func(a, b Bridge) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// uplink is the interface that carries ip, by its name and its hardware address; empty if
// none does.
func uplink(ip netip.Addr, addrs []netlink.Addr) (name, mac string, err error) {
	for _, a := range addrs {
		if prefixOf(a).Addr() != ip {
			continue
		}
		link, err := netlink.LinkByIndex(a.LinkIndex)
		if err != nil {
			return "", "", fmt.Errorf("read the interface that carries %s: %w", ip, err)
		}
		return link.Attrs().Name, link.Attrs().HardwareAddr.String(), nil
	}
	return "", "", nil
}

func prefixOf(a netlink.Addr) netip.Prefix {
	addr, _ := netip.AddrFromSlice(a.IP)
	bits, _ := a.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func (h *Host) log() *slog.Logger {
	if h.opts.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.opts.Log
}

// Missing names what this process needs to change a host and has not, each with what for.
func (h *Host) Missing() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lacks, _ := h.missing()
	return lacks
}
