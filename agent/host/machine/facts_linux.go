package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/sysctl"
	"github.com/sealane/sealane/api"
)

// Facts reads the host. The address ip, the host's private one, tells the uplink. Without
// the means to look at the firewall, named in Missing, the rest is still told.
func (h *Host) Facts(ctx context.Context, ip netip.Addr) (host.Facts, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rules.Expire()
	lacks, blind := h.missing(ctx)
	f := host.Facts{Kernel: kernelRelease(), Missing: lacks, BridgeNetfilter: sysctl.BridgeNetfilter()}
	var err error
	if f.Forwarding, err = sysctl.Forwards(); err != nil {
		return host.Facts{}, err
	}
	if f.Bridges, err = kernel.Bridges(); err != nil {
		return host.Facts{}, err
	}
	if f.Uplink, f.UplinkMAC, err = uplink(ip); err != nil {
		return host.Facts{}, err
	}
	if f.ReversePath, err = sysctl.EffectiveReversePath(f.Uplink); err != nil {
		return host.Facts{}, err
	}
	f.SavedRules = h.saved.Paths()
	h.askEngine(ctx, &f)
	if f.Asked != nil {
		f.Elsewhere, _ = filepath.Glob("/run/user/*/docker.sock")
	}
	if err = h.lookAtFirewall(ctx, &f); blind {
		err = nil // Missing says why it cannot be looked at
	}
	return f, err
}

// lookAtFirewall tells as much as can be seen, even when it fails.
func (h *Host) lookAtFirewall(ctx context.Context, f *host.Facts) error {
	d, err := h.rules.Detect(ctx)
	if err != nil {
		d.Native, _ = h.readNative(ctx) // needs no iptables
		d.Docker, d.Shielded = d.Native != nil, d.Native != nil
	}
	d.Tell(f)
	f.RulesOff = !f.Docker && h.engine.WritesNoRules()
	f.Redirect = d.Native != nil && h.redirect.Attached(f.Uplink)
	// What cannot be told of kept sources, the part says when it plans.
	f.Kept, _ = h.source.Kept(ctx)
	way, why, _ := h.source.Way(ctx)
	if f.SourceWay = way; why != nil {
		f.SourceWhy = why.Error()
	}
	if writer := h.writer.Load(); writer != nil {
		f.Writer = *writer
	}
	return err
}

// uplink is the interface that carries ip, by its name and its hardware address; empty if
// none does.
func uplink(ip netip.Addr) (name, mac string, err error) {
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return "", "", kernel.Wrap("list addresses", err)
	}
	for _, a := range addrs {
		if kernel.PrefixOf(a).Addr() != ip {
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

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// Missing names what this process needs to change a host and has not, each with what for.
func (h *Host) Missing(ctx context.Context) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lacks, _ := h.missing(ctx)
	return lacks
}

// missing names what this process needs and lacks, each with what it is for, and whether
// the firewall can be looked at without it.
//
// Measured with iptables 1.8.9: without CAP_NET_RAW the legacy variant cannot even list,
// and the nft variant fails at each rule that matches a set, in listing it as well.
func (h *Host) missing(ctx context.Context) (lacks []string, blind bool) {
	lack := func(absent, hides bool, what string) {
		if absent {
			lacks, blind = append(lacks, what), blind || hides
		}
	}
	lack(!kernel.Capable(unix.CAP_NET_ADMIN), true, "CAP_NET_ADMIN (to change rules and kernel settings)")
	lack(!kernel.Capable(unix.CAP_NET_RAW), true, "CAP_NET_RAW (iptables needs it for rules that match sets, and iptables-legacy for all)")
	lack(!sysctl.Writable(), false, "a writable /proc/sys (to change kernel settings; in a container it is read-only unless privileged)")
	d, err := h.readDocked(ctx)
	if d.Present {
		return lacks, blind // it needs no iptables, and so do we
	}
	lack(errors.Is(err, api.ErrUnsupported), true, "the command nft (to read and change rules beside Docker's, which are in nftables)")
	for _, command := range h.rules.MissingCommands() {
		lack(true, true, command)
	}
	return lacks, blind
}
