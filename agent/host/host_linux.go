package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
)

// Host is the machine, seen from the network namespace of the calling process.
type Host struct {
	opts Options

	mu     sync.Mutex // one change at a time; guards mem and prints
	mem    *memory    // nil until first needed
	prints map[string][]string
}

// New returns the host. It reads and changes nothing yet.
func New(opts Options) *Host {
	return &Host{opts: opts, prints: map[string][]string{}}
}

// Facts reads the host. The address ip, the host's private one, tells the uplink. Without
// the means to look at the firewall, named in Missing, the rest is still told.
func (h *Host) Facts(ctx context.Context, ip netip.Addr) (Facts, error) {
	f := Facts{Kernel: kernelRelease(), Missing: missing()}
	forwarding, err := readSysctl(ipForward)
	if err != nil {
		return Facts{}, err
	}
	f.Forwarding = forwarding == "1"
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return Facts{}, fmt.Errorf("list addresses: %w", err)
	}
	if f.Bridges, err = bridges(h.opts.Bridges, addrs); err != nil {
		return Facts{}, err
	}
	if f.Uplink, err = uplink(ip, addrs); err != nil {
		return Facts{}, err
	}
	d, err := detect(ctx)
	if err == nil {
		f.Kept, err = kept()
	}
	if len(f.Missing) > 0 {
		err = nil // it says why the firewall cannot be looked at
	}
	f.Docker, f.DockerNFT, f.Variant, f.Default, f.Blocked = d.docker, d.native, d.variant, d.standard, d.blocked
	return f, err
}

// Apply brings the host to the wish and says what it had to change for it. It is
// idempotent: the second of two equal calls changes nothing.
func (h *Host) Apply(ctx context.Context, w Wish) Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.recall(); err != nil {
		return Outcome{Forwarding: err, Rules: err, Source: err}
	}
	var out Outcome
	done := func(k Kind, what string) { out.Repairs = append(out.Repairs, Repair{k, what}) }
	if w.Uplink == "" {
		out.Rules = fmt.Errorf("apply rules: no uplink: %w", api.ErrInvalid)
	} else {
		out.Rules = h.applyRules(ctx, w, done)
		out.Source = applySource(w, done)
	}
	// Forwarding comes after the rules, so that nothing passes that they would stop.
	if w.Forward {
		out.Forwarding = h.turnForwardingOn(done)
	}
	return out
}

// Restore undoes everything that Apply ever did here, back to the values remembered in the
// state directory, and says what that was. It needs nothing else, so it works after a crash
// and when only half was in place; undone twice is undone once.
func (h *Host) Restore(ctx context.Context) ([]Repair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.recall(); err != nil {
		return nil, err
	}
	var undone []Repair
	done := func(k Kind, what string) { undone = append(undone, Repair{k, what}) }
	err := errors.Join(
		removeSource(done),
		h.removeRules(ctx, done),
		removeSets(done),
		h.restoreForwarding(done),
	)
	if err != nil {
		return undone, err
	}
	clear(h.prints)
	return undone, h.forget()
}

// bridges are those of the named interfaces that exist, with their addresses.
func bridges(names []string, addrs []netlink.Addr) ([]Bridge, error) {
	var found []Bridge
	for _, name := range names {
		link, err := netlink.LinkByName(name)
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read bridge %s: %w", name, err)
		}
		b := Bridge{Name: name, Up: link.Attrs().OperState == netlink.OperUp}
		for _, a := range addrs {
			if a.LinkIndex == link.Attrs().Index {
				b.Addresses = append(b.Addresses, prefixOf(a))
			}
		}
		slices.SortFunc(b.Addresses, api.ComparePrefixes)
		found = append(found, b)
	}
	return found, nil
}

// uplink is the name of the interface that carries ip; empty if none does.
func uplink(ip netip.Addr, addrs []netlink.Addr) (string, error) {
	for _, a := range addrs {
		if prefixOf(a).Addr() != ip {
			continue
		}
		link, err := netlink.LinkByIndex(a.LinkIndex)
		if err != nil {
			return "", fmt.Errorf("read the interface that carries %s: %w", ip, err)
		}
		return link.Attrs().Name, nil
	}
	return "", nil
}

func prefixOf(a netlink.Addr) netip.Prefix {
	addr, _ := netip.AddrFromSlice(a.IP.To4())
	bits, _ := a.Mask.Size()
	return netip.PrefixFrom(addr, bits)
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
