package engines

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/deploy/lab/probe"
)

// source is who sends.
type source struct {
	name  string
	netns string
	own   netip.Addr // its own address
	shown netip.Addr // what it shows when it is masqueraded
}

// sources are who sends from a host: a container of each network, and the host itself.
func (m *member) sources() []source {
	return []source{
		{"container", m.boxes["plain"].netns, m.boxes["plain"].ip, m.IP},
		{"container of a user's network", m.boxes["uplain"].netns, m.boxes["uplain"].ip, m.IP},
		{"host", netnsOf(m.Namespace), m.IP, m.IP},
	}
}

func (w *world) outsider() source {
	o := w.Inventory().Outsider
	return source{"outsider", netnsOf(o.Namespace), o.IP, o.IP}
}

// target is what is asked for on a host.
type target struct {
	name      string
	ip        netip.Addr
	port      uint16 // zero: ping
	published bool   // Docker was told to let everybody in
	host      bool   // an address of the host
}

func (m *member) targets() []target {
	all := []target{
		{"docker0's address, ping", m.Bip.Addr(), 0, true, true},
		{"host's published port", m.IP, 8081, true, true},
	}
	for _, name := range []string{"plain", "pub", "uplain", "upub"} {
		ip := m.boxes[name].ip
		all = append(all,
			target{name + ", ping", ip, 0, false, false},
			target{name + ", first port", ip, 8080, strings.HasSuffix(name, "pub"), false},
			target{name + ", second port", ip, 8082, false, false})
	}
	return all
}

// passes tells whether a target is reached by somebody who is no member, as measured for
// each generation: up to 27 only the policy of FORWARD is in the way, and what is published
// is open; from 28.2 on nothing gets to a container's own address.
func (m *member) passes(to target) bool {
	return to.host || !m.drops && (to.published || m.open)
}

// try asks for a target. It returns who the target says it was asked by, for a ping the
// target itself, and no address if nothing came back.
func try(ctx context.Context, from source, to target) netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if to.port == 0 {
		if probe.Ping(ctx, from.netns, to.ip) != nil {
			return netip.Addr{}
		}
		return to.ip
	}
	body, err := probe.Get(ctx, from.netns, fmt.Sprintf("%s:%d", to.ip, to.port), probe.PeerPath)
	if err != nil {
		return netip.Addr{}
	}
	seen, _ := netip.ParseAddr(strings.TrimSpace(body)) // none is as bad as a wrong one
	return seen
}

// matrix is what came of all cells: by row, then by column.
type matrix struct {
	mu      sync.Mutex
	rows    []string
	columns []string
	cells   map[[2]string]string
}

// note files what a cell turned out to be.
func (x *matrix) note(t *testing.T, row, column string, wanted bool, problem string) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cells == nil {
		x.cells = map[[2]string]string{}
	}
	text := map[bool]string{true: "ok", false: "shut"}[wanted]
	if problem != "" {
		text = "UNEXPECTED"
		t.Errorf("%s, %s: %s", column, row, problem)
	}
	key := [2]string{row, column}
	if _, known := x.cells[key]; !known {
		x.rows, x.columns = add(x.rows, row), add(x.columns, column)
	}
	if x.cells[key] != "UNEXPECTED" {
		x.cells[key] = text
	}
}

func add(all []string, one string) []string {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// probe tries everything from everywhere and compares with what is wanted. Members are
// let in after the agents ran; outsiders never are.
func (w *world) probe(t *testing.T, x *matrix, when string, agents bool) {
	t.Helper()
	var all sync.WaitGroup
	room := make(chan struct{}, 48)
	cell := func(from source, to target, column string, member bool, b *member) {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			wanted := b.passes(to) || member && agents
			got := try(t.Context(), from, to)
			// A busy machine answers late, also where it should not answer.
			for tries := 1; !got.IsValid() && tries < map[bool]int{true: 5, false: 2}[wanted]; tries++ {
				got = try(t.Context(), from, to)
			}
			row := fmt.Sprintf("%s: %s -> %s", when, from.name, to.name)
			x.note(t, row, column, wanted, judge(from, to, got, wanted, member && agents))
		})
	}
	for _, b := range w.hosts {
		for _, to := range b.targets() {
			cell(w.outsider(), to, b.column, false, b)
			for _, a := range w.hosts {
				if a == b {
					continue
				}
				for _, from := range a.sources() {
					cell(from, to, a.column+" > "+b.column, true, b)
				}
			}
		}
	}
	all.Wait()
}

// judge says what is wrong with a cell; nothing if it is as wanted. Between members the
// container's own address is seen, else and at a host's own address the host's.
func judge(from source, to target, got netip.Addr, wanted, keeps bool) string {
	want := from.shown
	switch {
	case !wanted && got.IsValid():
		return fmt.Sprintf("%s gets to %s:%d", from.own, to.ip, to.port)
	case !wanted:
		return ""
	case !got.IsValid():
		return fmt.Sprintf("%s does not get to %s:%d", from.own, to.ip, to.port)
	case to.port == 0:
		return ""
	case keeps && !to.host:
		want = from.own
	}
	if got != want {
		return fmt.Sprintf("%s:%d sees %s, want %s", to.ip, to.port, got, want)
	}
	return ""
}

// String prints a line for each row: in how many columns it came out which way, and the
// columns that did not as wanted.
func (x *matrix) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cells in %d columns: %s\n", len(x.cells), len(x.columns), strings.Join(x.columns, ", "))
	for _, row := range x.rows {
		count := map[string][]string{}
		for _, column := range x.columns {
			if text, ok := x.cells[[2]string{row, column}]; ok {
				count[text] = append(count[text], column)
			}
		}
		fmt.Fprintf(&b, "%-68s", row)
		for _, text := range []string{"ok", "shut", "UNEXPECTED"} {
			if n := len(count[text]); n > 0 {
				fmt.Fprintf(&b, " %s %d", text, n)
			}
		}
		if bad := count["UNEXPECTED"]; len(bad) > 0 {
			fmt.Fprintf(&b, ": %s", strings.Join(bad, ", "))
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
