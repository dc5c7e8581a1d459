package redirect

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
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

// Part is the redirect of a host. It is for one goroutine at a time.
type Part struct {
	loosen  func(host.Wish) ([]host.Step, error)
	record  *state.Record[memory]
	current *attachment // as last read or made
}

// New returns the redirect. It is told how to loosen the reverse path filters of bridges that
// packets are handed to, and reads and changes nothing yet.
func New(store *state.Store, loosen func(host.Wish) ([]host.Step, error)) *Part {
	return &Part{loosen: loosen, record: state.NewRecord[memory](store, nil)}
}

// memory is what is remembered of the redirect; nil while there is none.
type memory struct {
	Redirect *redirected `json:"redirect,omitempty"`
}

// redirected is what the redirect changed on the host.
type redirected struct {
	Uplink string `json:"uplink"`
	Qdisc  bool   `json:"qdisc,omitempty"` // the qdisc clsact is ours
}

// Plan puts the redirect on the uplink, with these subnets. It must be told anew of
// a bridge that was made anew.
func (p *Part) Plan(ctx context.Context, w host.Wish) ([]host.Step, error) {
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
	if m := p.record.Value().Redirect; m != nil && m.Uplink != w.Uplink {
		if steps, err = p.Undo(ctx); err != nil {
			return steps, err
		}
	}
	want, failure := redirections(w)
	loosened, err := p.loosen(w)
	if err != nil {
		return steps, err
	}
	steps = append(steps, loosened...)
	have, readable, err := p.attached(link)
	if err != nil || w.Incomplete && !readable {
		return steps, errors.Join(err, failure)
	}
	if w.Incomplete && have != nil {
		want.add(have.entries)
	}
	if have != nil && have.entries.equal(want) {
		if p.record.Value().Redirect == nil { // the state directory was lost
			steps = append(steps, host.Step{Do: func(context.Context) error { return p.makeRoom(link) }})
		}
		return steps, failure
	}
	what := fmt.Sprintf("from %d ranges of others to %v", len(want.from), slices.SortedFunc(maps.Keys(want.to), api.ComparePrefixes))
	return append(steps, host.NewStep(host.KindRedirect, what, redirectText(w.Uplink), func(context.Context) error {
		if err := p.makeRoom(link); err != nil {
			return err
		}
		return wrapBPF("redirect from "+w.Uplink, p.load(link, have, want))
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
			if own := kernel.PrefixOf(a).Addr(); l.Prefix.Contains(own) {
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

// Attached reports whether there is a redirect on an interface, of ours or of an agent before
// us. One that is not there has none.
func (p *Part) Attached(uplink string) bool {
	link, err := netlink.LinkByName(uplink)
	if err != nil {
		return false
	}
	have, readable, err := p.attached(link)
	return err == nil && (have != nil || !readable)
}

// attached is the redirect as it is on an interface; nil if there is none that we can go on
// with. It is not readable if another process loaded it, as an agent before us did, and this
// one lacks CAP_SYS_ADMIN: it is then replaced, once and without a gap.
func (p *Part) attached(link netlink.Link) (have *attachment, readable bool, err error) {
	filter, err := redirectFilter(link)
	if filter == nil || err != nil {
		return nil, true, err
	}
	if p.current != nil && p.current.program == filter.Id && p.current.link == link.Attrs().Index {
		return p.current, true, nil
	}
	p.closeMaps()
	found, err := adoptAttachment(link.Attrs().Index, filter)
	switch {
	case errors.Is(err, unix.EPERM):
		return nil, false, nil
	case errors.Is(err, fs.ErrNotExist): // it went away just now
		return nil, true, nil
	}
	p.current = found
	return found, true, wrapBPF("read the redirect from "+link.Attrs().Name, err)
}

func (p *Part) closeMaps() {
	if p.current != nil {
		p.current.close()
	}
	p.current = nil
}

// makeRoom notes whether the qdisc will be ours, and makes it.
func (p *Part) makeRoom(link netlink.Link) error {
	qdisc, err := ingressQdisc(link)
	if err != nil {
		return err
	}
	made := redirected{Uplink: link.Attrs().Name, Qdisc: qdisc == nil}
	if p.record.Value().Redirect == nil || !p.record.Value().Redirect.Qdisc && made.Qdisc {
		if err := p.record.Remember(func(m *memory) { m.Redirect = &made }); err != nil {
			return err
		}
	}
	if qdisc != nil {
		return nil
	}
	return kernel.Wrap("add qdisc clsact to "+made.Uplink, netlink.QdiscAdd(clsact(link)))
}

// Withdraw takes our filter away and leaves the qdisc for its return: with each qdisc
// that comes or goes, the kernel stops sending on the interface for a moment, and what is to
// be sent then is lost. The uplink is looked at if it is not remembered where the filter is.
func (p *Part) Withdraw(uplink string) ([]host.Step, error) {
	if m := p.record.Value().Redirect; m != nil {
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
		p.closeMaps()
		return kernel.Wrap("take the redirect from "+uplink, netlink.FilterDel(filter))
	})}, nil
}

// Undo takes our filter away, and the qdisc if it is ours and holds no other filter.
// Reverse path filters are put back with all others. Where the memory was lost, our filter is
// looked for everywhere; the qdisc may then be anybody's, and stays.
func (p *Part) Undo(context.Context) ([]host.Step, error) {
	m := p.record.Value().Redirect
	if m == nil {
		return p.undoLost()
	}
	steps, err := p.Withdraw(m.Uplink)
	if err != nil {
		return steps, err
	}
	if m.Qdisc {
		steps = append(steps, host.Step{Command: fmt.Sprintf("tc qdisc del dev %s clsact # if no other filter is in it", m.Uplink), Do: func(context.Context) error {
			return removeClsact(m.Uplink)
		}})
	}
	return append(steps, p.record.RememberStep(func(m *memory) { m.Redirect = nil })), nil
}

func (p *Part) undoLost() ([]host.Step, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", kernel.Explain(err))
	}
	return host.CollectSteps(links, func(l netlink.Link) ([]host.Step, error) { return p.Withdraw(l.Attrs().Name) })
}

// redirectText stands for the program, which no command of a shell can load. Filters that do
// the same would hold its place, and it would not come.
func redirectText(uplink string) string {
	return "# load a program that redirects, at the ingress of " + uplink + ": only the agent can do that"
}

// load brings the program on an interface to these entries, or puts one there,
// which replaces what has its place at one moment.
func (p *Part) load(link netlink.Link, have *attachment, want entries) error {
	if have != nil {
		err := have.change(want)
		if err != nil {
			p.closeMaps() // to be read anew
		}
		return err
	}
	r, err := newAttachment()
	if err != nil {
		return err
	}
	if err := r.attach(link, want); err != nil {
		r.close()
		return err
	}
	p.closeMaps()
	p.current = r
	return nil
}
