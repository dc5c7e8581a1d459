package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// The redirect is one program on the uplink's ingress. What comes from another host and is
// for a subnet here, it hands to that subnet's bridge as if it came from there, which Docker
// lets pass in all of its chains. It runs ahead of every hook of netfilter and needs no
// option of the engine. It looks at addresses only, so a fragment goes where its first one
// went. Hosts come and go by entries of its maps.
const (
	redirectName   = "sealane"
	redirectPref   = 100
	redirectHandle = 1
)

// redirected is what the redirect changed on the host.
type redirected struct {
	Uplink string `json:"uplink"`
	Qdisc  bool   `json:"qdisc,omitempty"` // the qdisc clsact is ours
}

// planRedirect puts the redirect on the uplink, with these subnets. It must be told anew of
// a bridge that was made anew.
func (h *Host) planRedirect(w host.Wish) ([]host.Step, error) {
	if w.Strict {
		return nil, fmt.Errorf(`let others reach published ports only: with Docker's nftables backend this needs "allow-direct-routing": true `+
			`and "bridge-accept-fwmark" in dockerd's configuration file: %w`, api.ErrUnsupported)
	}
	link, err := netlink.LinkByName(w.Uplink)
	if err != nil {
		return nil, fmt.Errorf("redirect from %s: %w", w.Uplink, kernel.Explain(err))
	}
	if link.Attrs().EncapType != "ether" {
		return nil, fmt.Errorf("redirect from %s: its frames have no Ethernet header: %w", w.Uplink, api.ErrUnsupported)
	}
	var steps []host.Step
	if m := h.mem.Redirect; m != nil && m.Uplink != w.Uplink {
		if steps, err = h.undoRedirect(); err != nil {
			return steps, err
		}
	}
	want, failure := redirections(w)
	loosened, err := h.planLoose(w)
	if err != nil {
		return steps, err
	}
	steps = append(steps, loosened...)
	have, readable, err := h.attached(link)
	if err != nil || w.Incomplete && !readable {
		return steps, errors.Join(err, failure)
	}
	if w.Incomplete && have != nil {
		want.add(have.entries)
	}
	if have != nil && have.entries.equal(want) {
		if h.mem.Redirect == nil { // the state directory was lost
			steps = append(steps, host.Step{Do: func(context.Context) error { return h.rememberRedirect(link) }})
		}
		return steps, failure
	}
	what := fmt.Sprintf("from %d ranges of others to %v", len(want.from), slices.SortedFunc(maps.Keys(want.to), api.ComparePrefixes))
	return append(steps, host.NewStep(host.KindRedirect, what, redirectText(w.Uplink), func(context.Context) error {
		if err := h.rememberRedirect(link); err != nil {
			return err
		}
		return wrapBPF("redirect from "+w.Uplink, h.writeRedirect(link, have, want))
	})), failure
}

// redirections are the entries that a wish asks for, but for bridges that cannot be told.
// The host's own addresses are left out: what is for them is not Docker's business, and
// other rules may know it by its interface.
func redirections(w host.Wish) (entries, error) {
	want := entries{to: map[netip.Prefix]target{}, from: map[netip.Prefix]bool{}}
	for _, p := range w.PeerPrefixes() {
		want.from[p.Masked()] = true
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return want, fmt.Errorf("list addresses: %w", err)
	}
	var failures []error
	for _, l := range w.Locals {
		t, err := targetOf(l.Bridge)
		if err != nil {
			failures = append(failures, fmt.Errorf("redirect to %s: %w", l.Bridge, err))
			continue
		}
		want.to[l.Prefix.Masked()] = t
		for _, a := range addrs {
			if own := prefixOf(a).Addr(); l.Prefix.Contains(own) {
				want.to[netip.PrefixFrom(own, own.BitLen())] = target{}
			}
		}
	}
	return want, errors.Join(failures...)
}

func targetOf(bridge string) (target, error) {
	link, err := netlink.LinkByName(bridge)
	if err != nil {
		return target{}, kernel.Explain(err)
	}
	t := target{Index: uint32(link.Attrs().Index)}
	if copy(t.MAC[:], link.Attrs().HardwareAddr) != len(t.MAC) {
		return target{}, fmt.Errorf("it has no Ethernet address: %w", api.ErrUnsupported)
	}
	return t, nil
}

// attached is the redirect as it is on an interface; nil if there is none that we can go on
// with. It is not readable if another process loaded it, as an agent before us did, and this
// one lacks CAP_SYS_ADMIN: it is then replaced, once and without a gap.
func (h *Host) attached(link netlink.Link) (have *redirect, readable bool, err error) {
	filter, err := redirectFilter(link)
	if filter == nil || err != nil {
		return nil, true, err
	}
	if h.redirect != nil && h.redirect.program == filter.Id && h.redirect.link == link.Attrs().Index {
		return h.redirect, true, nil
	}
	h.dropRedirect()
	found, err := adoptRedirect(link.Attrs().Index, filter)
	switch {
	case errors.Is(err, unix.EPERM):
		return nil, false, nil
	case errors.Is(err, fs.ErrNotExist): // it went away just now
		return nil, true, nil
	}
	h.redirect = found
	return found, true, wrapBPF("read the redirect from "+link.Attrs().Name, err)
}

func (h *Host) dropRedirect() {
	if h.redirect != nil {
		h.redirect.close()
	}
	h.redirect = nil
}

// redirectFilter is our filter on an interface; nil if there is none.
func redirectFilter(link netlink.Link) (*netlink.BpfFilter, error) {
	filters, err := netlink.FilterList(link, netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return nil, fmt.Errorf("list filters of %s: %w", link.Attrs().Name, kernel.Explain(err))
	}
	for _, f := range filters {
		if f.Attrs().Priority != redirectPref {
			continue
		}
		if own, ok := f.(*netlink.BpfFilter); ok && own.Name == redirectName {
			return own, nil
		}
		return nil, fmt.Errorf("preference %d of the ingress filters of %s is taken by another program: %w", redirectPref, link.Attrs().Name, api.ErrRefused)
	}
	return nil, nil
}

// rememberRedirect notes whether the qdisc will be ours, and makes it.
func (h *Host) rememberRedirect(link netlink.Link) error {
	qdisc, err := ingressQdisc(link)
	if err != nil {
		return err
	}
	made := redirected{Uplink: link.Attrs().Name, Qdisc: qdisc == nil}
	if h.mem.Redirect == nil || !h.mem.Redirect.Qdisc && made.Qdisc {
		if err := h.remember(func(m *memory) { m.Redirect = &made }); err != nil {
			return err
		}
	}
	if qdisc != nil {
		return nil
	}
	return kernel.Wrap("add qdisc clsact to "+made.Uplink, netlink.QdiscAdd(clsact(link)))
}

func clsact(link netlink.Link) netlink.Qdisc {
	return &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
}

// ingressQdisc is the qdisc that holds an interface's ingress filters; nil without one.
func ingressQdisc(link netlink.Link) (netlink.Qdisc, error) {
	qdiscs, err := netlink.QdiscList(link)
	if err != nil {
		return nil, fmt.Errorf("list qdiscs of %s: %w", link.Attrs().Name, kernel.Explain(err))
	}
	for _, q := range qdiscs {
		if q.Attrs().Parent == netlink.HANDLE_INGRESS { // the same number as that of clsact
			return q, nil
		}
	}
	return nil, nil
}

// withdrawRedirect takes our filter away and leaves the qdisc for its return: with each qdisc
// that comes or goes, the kernel stops sending on the interface for a moment, and what is to
// be sent then is lost. The uplink is looked at if it is not remembered where the filter is.
func (h *Host) withdrawRedirect(uplink string) ([]host.Step, error) {
	if m := h.mem.Redirect; m != nil {
		uplink = m.Uplink
	}
	if uplink == "" {
		return nil, nil
	}
	link, err := netlink.LinkByName(uplink)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take the redirect from %s: %w", uplink, kernel.Explain(err))
	}
	filter, err := redirectFilter(link)
	if errors.Is(err, api.ErrRefused) {
		return nil, nil // what is there is not ours
	}
	if filter == nil || err != nil {
		return nil, err
	}
	command := fmt.Sprintf("tc filter del dev %s ingress pref %d", uplink, redirectPref)
	return []host.Step{host.NewStep(host.KindRedirect, "nothing from "+uplink, command, func(context.Context) error {
		h.dropRedirect()
		return kernel.Wrap("take the redirect from "+uplink, netlink.FilterDel(filter))
	})}, nil
}

// undoRedirect takes our filter away, and the qdisc if it is ours and holds no other filter.
// Reverse path filters are put back with all others. Where the memory was lost, our filter is
// looked for everywhere; the qdisc may then be anybody's, and stays.
func (h *Host) undoRedirect() ([]host.Step, error) {
	m := h.mem.Redirect
	if m == nil {
		return h.undoLostRedirect()
	}
	steps, err := h.withdrawRedirect(m.Uplink)
	if err != nil {
		return steps, err
	}
	if m.Qdisc {
		steps = append(steps, host.Step{Command: fmt.Sprintf("tc qdisc del dev %s clsact # if no other filter is in it", m.Uplink), Do: func(context.Context) error {
			return removeClsact(m.Uplink)
		}})
	}
	return append(steps, h.forgetRedirect()), nil
}

func (h *Host) undoLostRedirect() ([]host.Step, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", kernel.Explain(err))
	}
	var steps []host.Step
	var failures []error
	for _, link := range links {
		more, err := h.withdrawRedirect(link.Attrs().Name)
		steps, failures = append(steps, more...), append(failures, err)
	}
	return steps, errors.Join(failures...)
}

func (h *Host) forgetRedirect() host.Step {
	return host.Step{Do: func(context.Context) error {
		return h.remember(func(m *memory) { m.Redirect = nil })
	}}
}

// removeClsact removes an interface's qdisc clsact, unless filters are in it.
func removeClsact(uplink string) error {
	link, err := netlink.LinkByName(uplink)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove qdisc clsact of %s: %w", uplink, kernel.Explain(err))
	}
	qdisc, err := ingressQdisc(link)
	if qdisc == nil || err != nil {
		return err
	}
	for _, side := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		filters, err := netlink.FilterList(link, side)
		if err != nil {
			return fmt.Errorf("list filters of %s: %w", link.Attrs().Name, kernel.Explain(err))
		}
		if len(filters) > 0 {
			return nil
		}
	}
	return kernel.Wrap("remove qdisc clsact of "+link.Attrs().Name, netlink.QdiscDel(qdisc))
}

// planLoose loosens the strict reverse path filters of bridges that packets are handed to:
// their sources are not behind them.
func (h *Host) planLoose(w host.Wish) ([]host.Step, error) {
	var strict []setting
	for _, l := range w.Locals {
		filter, err := reversePath(l.Bridge)
		if err != nil {
			return nil, err
		}
		if filter != 1 || !l.Prefix.Addr().Is4() {
			continue
		}
		if slices.Contains(w.Leave, host.PartReversePath) {
			return nil, fmt.Errorf("redirect to %s: its reverse path filter is strict, which drops what is redirected, and is to be left as it is: %w", l.Bridge, api.ErrRefused)
		}
		strict = append(strict, setting{linkSysctl(host.IPv4, l.Bridge, "rp_filter"), "2", host.KindSetting})
	}
	return h.planSettings(slices.Compact(strict), nil)
}

// redirectText stands for the program, which no command of a shell can load. Filters that do
// the same would hold its place, and it would not come.
func redirectText(uplink string) string {
	return "# load a program that redirects, at the ingress of " + uplink + ": only the agent can do that"
}

// wrapBPF names what is missing when the kernel does not let us load the program.
func wrapBPF(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w: %w: CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN on kernels before 5.8", doing, err, api.ErrPermission)
	case unsupportedBPF(err):
		return fmt.Errorf("%s: %w: %w: the kernel needs BPF_SYSCALL, NET_CLS_BPF and NET_SCH_INGRESS, and to be 4.18 or later", doing, err, api.ErrUnsupported)
	default:
		return kernel.Wrap(doing, err)
	}
}
