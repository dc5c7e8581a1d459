// Package route asks the kernel which way packets between our subnets and those of the other
// hosts go: by its rules, routes and links, as they are for a packet that is forwarded and for
// one that the host sends. It changes nothing. Everything acts in the network namespace of the
// calling process.
//
// The kernel is asked once for all subnets that lie under the same routes, and again only when
// a route, a rule, a link or the question is another. So 10,000 subnets behind one default
// route take as many questions as one.
//
// What a rule tells packets by beside addresses, interface and mark is not tried: of a protocol or
// a port that is said, for the subnets that the rule is about.
package route

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// Reader asks and remembers. Its methods may be called at the same time.
type Reader struct {
	log *slog.Logger

	followed atomic.Bool   // changes are announced
	changes  atomic.Uint64 // how many were

	mu   sync.Mutex // guards last
	last memo
}

// memo is the last answer, and what it depends on.
type memo struct {
	question host.PathQuestion
	links    map[string]linkState
	changes  uint64
	lookups  []host.Lookup
	gateways []netip.Addr
	asked    int // questions to the kernel that it took
}

// New returns a reader. log is for what is not worth an error.
func New(log *slog.Logger) *Reader { return &Reader{log: log} }

// Read answers a question. What the kernel does not tell of single subnets is in the answer;
// the error says why nothing can be told.
func (r *Reader) Read(q host.PathQuestion) (host.Path, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changes := r.changes.Load() // what changes while we ask is asked about again
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return host.Path{}, kernel.Wrap("ask the kernel for its routes", err)
	}
	defer handle.Close()
	links, err := readLinks(handle, q)
	if err != nil {
		return host.Path{}, err
	}
	same := r.followed.Load() && changes == r.last.changes && maps.Equal(links, r.last.links) && reflect.DeepEqual(q, r.last.question)
	if !same {
		m := memo{question: q, links: links, changes: changes}
		if err := m.fill(handle); err != nil {
			r.last = memo{}
			return host.Path{}, err
		}
		r.last = m
	}
	return host.Path{Lookups: r.last.lookups, Links: linksOf(links), Gateways: r.last.gateways}, nil
}

// fill asks the kernel.
func (m *memo) fill(handle *netlink.Handle) error {
	t, err := readTables(handle, m.question.Marks)
	if err != nil {
		return err
	}
	names, err := linkNames(handle)
	if err != nil {
		return err
	}
	if up := m.links[m.question.Uplink]; up.There {
		m.gateways = t.gateways(up.index)
	}
	q := questioner{handle: handle, tables: t, links: m.links, names: names, question: m.question, gateways: m.gateways}
	for _, six := range []bool{false, true} {
		m.askOut(q, six)
		m.askIn(q, six)
	}
	m.noteUntried(q.tables.untried)
	m.askLimited(q)
	for _, a := range m.question.Hosts {
		m.ask(q, "", netip.Addr{}, class{to: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, dst: a})
	}
	return nil
}

// askOut asks for the ways to the other hosts' subnets, from the host and from each bridge.
func (m *memo) askOut(q questioner, six bool) {
	classes := q.tables.all.classes(family(m.question.Remotes, six))
	for _, c := range classes {
		m.ask(q, "", netip.Addr{}, c)
		for _, l := range m.question.Locals {
			if l.Prefix.Addr().Is6() != six {
				continue
			}
			for _, src := range sources(l.Prefix, q.tables.sources) {
				m.ask(q, l.Bridge, src, c)
			}
		}
	}
}

// askIn asks for the ways to our own subnets, for what comes from the other hosts'.
func (m *memo) askIn(q questioner, six bool) {
	remotes := family(m.question.Remotes, six)
	if len(remotes) == 0 || m.question.Uplink == "" {
		return
	}
	from := []netip.Addr{Container(remotes[0])}
	for _, s := range q.tables.sources {
		at := slices.IndexFunc(remotes, s.Overlaps)
		if at >= 0 {
			from = append(from, Container(narrower(s, remotes[at])))
		}
	}
	var locals []netip.Prefix
	for _, l := range m.question.Locals {
		locals = append(locals, l.Prefix)
	}
	for _, c := range q.tables.to.classes(family(locals, six)) {
		for _, src := range from {
			m.ask(q, m.question.Uplink, src, c)
		}
	}
}

// noteUntried says of the subnets that rules are about which tell packets by protocol or port
// that it is not known where those go.
func (m *memo) noteUntried(rules []netlink.Rule) {
	var locals []netip.Prefix
	for _, l := range m.question.Locals {
		locals = append(locals, l.Prefix)
	}
	for _, r := range rules {
		six := r.Family == unix.AF_INET6
		about := func(n *net.IPNet, all []netip.Prefix) []netip.Prefix {
			p, some := prefixOf(n, six)
			return slices.DeleteFunc(family(all, six), func(o netip.Prefix) bool { return some && !o.Overlaps(p) })
		}
		note := func(in string, from, to []netip.Prefix) {
			if len(from) == 0 || len(to) == 0 || r.IifName != "" && r.IifName != in {
				return
			}
			m.lookups = append(m.lookups, host.Lookup{In: in, To: to, Dst: Container(to[0]), Fate: host.FateUnknown, Cause: fmt.Errorf(
				"rule %d of routing tells them by protocol or port, which is not tried: %w", r.Priority, api.ErrUnsupported)})
		}
		for _, l := range m.question.Locals {
			note(l.Bridge, about(r.Src, []netip.Prefix{l.Prefix}), about(r.Dst, m.question.Remotes))
		}
		note(m.question.Uplink, about(r.Src, m.question.Remotes), about(r.Dst, locals))
	}
}

// askLimited asks for the ways of packets of which some protocols or ports carry a mark. Where
// that sends them another way than the others it is not known what most of them do.
func (m *memo) askLimited(q questioner) {
	for _, mark := range m.question.Marks {
		from, to := mark.From, mark.To
		if len(from) == 0 {
			from = m.question.Remotes
		}
		if len(to) == 0 {
			to = m.question.Remotes
		}
		if mark.Limits == "" || len(from) == 0 || len(to) == 0 {
			continue
		}
		c := class{to: to, dst: Container(to[0])}
		m.asked += 2
		with, without := q.lookUpMarked(mark.In, Container(from[0]), c, mark.Mark), q.lookUp(mark.In, Container(from[0]), c)
		if with.Fate != without.Fate || with.Device != without.Device || with.NextHop != without.NextHop {
			m.lookups = append(m.lookups, undecided(without, fmt.Errorf("%s carries mark %#x, with which it goes another way: %w", mark.Limits, mark.Mark, api.ErrUnsupported)))
		}
	}
}

func (m *memo) ask(q questioner, in string, src netip.Addr, c class) {
	m.asked++
	m.lookups = append(m.lookups, q.lookUp(in, src, c))
}

// sources are the addresses that stand for a subnet: one of a container, and one for each rule
// that tells a part of the subnet apart.
func sources(local netip.Prefix, rules []netip.Prefix) []netip.Addr {
	all := []netip.Addr{Container(local)}
	for _, r := range rules {
		if r.Bits() > local.Bits() && local.Contains(r.Addr()) && !slices.Contains(all, Container(r)) {
			all = append(all, Container(r))
		}
	}
	return all
}

func narrower(a, b netip.Prefix) netip.Prefix {
	if a.Bits() > b.Bits() {
		return a
	}
	return b
}

func family(all []netip.Prefix, six bool) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(all), func(p netip.Prefix) bool { return p.Addr().Is6() != six })
}

// String tells what the reader has at hand, for tests of how much is asked.
func (r *Reader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d questions", r.last.asked)
}
