package redirect

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// The maps of the program. Both are tries of prefixes with 128 bits; IPv4 addresses are
// their mapped ones.
const (
	mapLocals  = "sealane_locals"
	mapRemotes = "sealane_remotes"
)

// key is a prefix in a map.
type key struct {
	Bits uint32
	Addr [16]byte
}

func keyOf(p netip.Prefix) key {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return key{uint32(bits), p.Addr().As16()}
}

func (k key) prefix() netip.Prefix {
	addr := netip.AddrFrom16(k.Addr)
	if addr.Is4In6() && k.Bits >= 96 {
		return netip.PrefixFrom(addr.Unmap(), int(k.Bits)-96)
	}
	return netip.PrefixFrom(addr, int(k.Bits))
}

// target is the bridge that packets for a prefix are handed to. With index 0 they are left
// to go their way.
type target struct {
	Index uint32
	MAC   [6]byte
	_     [2]byte
}

// entries are what the maps hold.
type entries struct {
	to   map[netip.Prefix]target
	from map[netip.Prefix]bool
}

func (e entries) equal(other entries) bool {
	return maps.Equal(e.to, other.to) && maps.Equal(e.from, other.from)
}

// add adds what is not there yet.
func (e entries) add(other entries) {
	for p, t := range other.to {
		if _, ok := e.to[p]; !ok {
			e.to[p] = t
		}
	}
	maps.Copy(e.from, other.from)
}

// attachment is the program on an interface, by its maps.
type attachment struct {
	link            int // index
	program         int // id
	locals, remotes *ebpf.Map
	entries         entries
}

func (r *attachment) close() {
	_ = r.locals.Close()
	_ = r.remotes.Close()
}

func mapSpec(name string, value, size uint32) *ebpf.MapSpec {
	return &ebpf.MapSpec{
		Name: name, Type: ebpf.LPMTrie, KeySize: 20, ValueSize: value, MaxEntries: size, Flags: unix.BPF_F_NO_PREALLOC,
	}
}

// newMap makes a map. Before 5.11 all that a map may ever hold counts against a limit of the
// process that is mostly small, and EPERM says so; the limit is then lifted.
func newMap(spec *ebpf.MapSpec) (*ebpf.Map, error) {
	m, err := ebpf.NewMap(spec)
	if !errors.Is(err, unix.EPERM) {
		return m, err
	}
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}) != nil {
		return nil, err
	}
	return ebpf.NewMap(spec)
}

func newAttachment() (*attachment, error) {
	locals, err := newMap(mapSpec(mapLocals, 12, 1<<12))
	if err != nil {
		return nil, err
	}
	remotes, err := newMap(mapSpec(mapRemotes, 4, 1<<17))
	if err != nil {
		return nil, errors.Join(err, locals.Close())
	}
	return &attachment{locals: locals, remotes: remotes}, nil
}

func (r *attachment) attach(link netlink.Link, want entries) error {
	if err := r.change(want); err != nil {
		return err
	}
	p, err := ebpf.NewProgram(makeProgram(r.locals.FD(), r.remotes.FD()))
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // the filter keeps it
	info, err := p.Info()
	if err != nil {
		return err
	}
	id, _ := info.ID()
	r.program, r.link = int(id), link.Attrs().Index
	return netlink.FilterReplace(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: r.link, Parent: netlink.HANDLE_MIN_INGRESS, Handle: redirectHandle, Priority: redirectPref, Protocol: unix.ETH_P_ALL,
		},
		Fd: p.FD(), Name: redirectName, DirectAction: true,
	})
}

// change adds entries before it takes others away.
func (r *attachment) change(want entries) error {
	for p, t := range want.to {
		if old, ok := r.entries.to[p]; !ok || old != t {
			if err := r.locals.Put(keyOf(p), t); err != nil {
				return fmt.Errorf("add %s: %w", p, err)
			}
		}
	}
	for p := range want.from {
		if !r.entries.from[p] {
			if err := r.remotes.Put(keyOf(p), uint32(1)); err != nil {
				return fmt.Errorf("add %s: %w", p, err)
			}
		}
	}
	if err := deleteOthers(r.remotes, r.entries.from, want.from); err != nil {
		return err
	}
	if err := deleteOthers(r.locals, r.entries.to, want.to); err != nil {
		return err
	}
	r.entries = want
	return nil
}

// deleteOthers deletes what is to stay no longer.
func deleteOthers[V any](m *ebpf.Map, have, stay map[netip.Prefix]V) error {
	for p := range have {
		if _, ok := stay[p]; ok {
			continue
		}
		if err := m.Delete(keyOf(p)); err != nil {
			return fmt.Errorf("delete %s: %w", p, err)
		}
	}
	return nil
}

// adoptAttachment reads a program that an agent before us left on an interface; nil if it is
// not the one we would load.
func adoptAttachment(link int, filter *netlink.BpfFilter) (*attachment, error) {
	own := makeProgram(0, 0).Instructions
	if err := own.Marshal(io.Discard, byteOrder()); err != nil { // which resolves the jumps
		return nil, err
	}
	same, err := own.HasTag(filter.Tag, byteOrder())
	if err != nil || !same {
		return nil, err
	}
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(filter.Id))
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	info, err := p.Info()
	if err != nil {
		return nil, err
	}
	ids, _ := info.MapIDs()
	opened := map[string]*ebpf.Map{}
	defer func() {
		for _, m := range opened {
			_ = m.Close()
		}
	}()
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return nil, err
		}
		about, err := m.Info()
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		_ = opened[about.Name].Close() // nil, unless two have one name
		opened[about.Name] = m
	}
	r := &attachment{link: link, program: filter.Id, locals: opened[mapLocals], remotes: opened[mapRemotes]}
	if r.locals == nil || r.remotes == nil {
		return nil, nil
	}
	if r.entries, err = readEntries(r); err != nil {
		return nil, err
	}
	delete(opened, mapLocals)
	delete(opened, mapRemotes)
	return r, nil
}

func readEntries(r *attachment) (entries, error) {
	e := entries{to: map[netip.Prefix]target{}, from: map[netip.Prefix]bool{}}
	var k key
	var t target
	locals := r.locals.Iterate()
	for locals.Next(&k, &t) {
		e.to[k.prefix()] = t
	}
	var one uint32
	remotes := r.remotes.Iterate()
	for remotes.Next(&k, &one) {
		e.from[k.prefix()] = true
	}
	return e, errors.Join(locals.Err(), remotes.Err())
}

// unsupportedBPF reports whether an error says that the kernel cannot do what the redirect
// needs.
func unsupportedBPF(err error) bool {
	return errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT)
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
