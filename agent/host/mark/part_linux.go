// Package mark has Docker's own table of nftables let packets through: it marks them, and
// Docker was told to accept the mark. For each family that has a subnet here:
//
//	table ip sealane-mark {
//		set localnets { type ipv4_addr; flags interval; }
//		set remotenets { type ipv4_addr; flags interval; }
//		chain pre {
//			type filter hook prerouting priority -150; policy accept;
//			iifname "eth0" ip saddr @remotenets ip daddr @localnets meta mark set meta mark & 0xfffeffff | 0x10000 accept
//			iifname != "docker0" ip daddr 10.0.0.0/24 fib daddr type != local ct state invalid,new drop
//		}
//	}
//
// The rules below the first are the guard, one for each bridge: Docker takes the mark only
// if its option allow-direct-routing takes its own drops away, for whole networks and
// whoever comes. The guard stands in for them. It is ahead of the translation of published
// ports, so these stay open, and errors that ICMP reports are related, so they pass. The
// host's own address on a bridge is no container's, and open as before. What was guarded is
// remembered: where all rules are flushed, it cannot be read from Docker's table until Docker
// starts again.
package mark

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

// The table and what is in it.
const (
	TableName = "sealane-mark"
	localNets = "localnets"
	remotes   = "remotenets"
	chainPre  = "pre"
	priority  = -150 // ahead of the translation of published ports
)

// Engine is what the part is told of Docker.
type Engine interface {
	// Guarded reports whether dockerd may go by options of ours, or will at its next start.
	Guarded() bool
	// Reset reports whether that ends with the steps that were planned.
	Reset() bool
	// Direct reports whether its options have it allow direct routing, or may.
	Direct() bool
	// InIPTables reports whether Docker's rules are in iptables.
	InIPTables(ctx context.Context) (bool, error)
}

// Part marks and guards. It is for one goroutine at a time.
type Part struct {
	tables *nft.Client
	docker func(context.Context) (firewall.DockerTable, error)
	engine Engine
	record *state.Record[memory]
}

// memory is what is remembered of the table; it ends with the boot.
type memory struct {
	Guards []host.Local `json:"guards,omitempty"` // bridges guarded, with their prefixes
	Mark   uint32       `json:"mark,omitempty"`   // what packets were marked with, and its mask
	Mask   uint32       `json:"mask,omitempty"`
}

// New returns the part. It is told what Docker's own table says, and reads and changes nothing
// yet.
func New(store *state.Store, tables *nft.Client, docker func(context.Context) (firewall.DockerTable, error), engine Engine) *Part {
	return &Part{tables: tables, docker: docker, engine: engine, record: state.NewRecord[memory](store, nil)}
}

// marking is what the table of a family is to say.
type marking struct {
	from, to   []netip.Prefix // the other hosts' and ours
	uplink     string         // it marks what comes in here; empty: it only guards
	mark, mask uint32         // zero to let in and not mark
}

// table is the table of a family, with these guards.
func (m marking) table(f host.Family, guards []host.Local) nft.Table {
	ip := f.NFT()
	var rules []string
	if m.uplink != "" {
		rule := fmt.Sprintf("iifname %[1]q %[2]s saddr @%[3]s %[2]s daddr @%[4]s", m.uplink, ip, remotes, localNets)
		if m.mask != 0 {
			rule += fmt.Sprintf(" meta mark set meta mark & %#x | %#x", ^m.mask, m.mark)
		}
		rules = append(rules, rule+" accept")
	}
	for _, g := range guards {
		rules = append(rules, fmt.Sprintf("iifname != %q %s daddr %s fib daddr type != local ct state invalid,new drop", g.Bridge, ip, g.Prefix))
	}
	return nft.Table{
		Family: f, Name: TableName, Sets: []nft.Set{{Name: localNets, Members: m.to}, {Name: remotes, Members: m.from}},
		Chain: nft.Chain{Name: chainPre, Type: "filter", Hook: "prerouting", Priority: priority, Rules: rules},
	}
}

func tableID(f host.Family) nft.ID { return nft.ID{Family: f.NFT(), Name: TableName} }

// Plan has packets of other hosts marked, and what Docker no longer drops guarded.
func (p *Part) Plan(ctx context.Context, w host.Wish) ([]host.Step, error) {
	d, err := p.docker(ctx)
	if err != nil {
		return nil, err
	}
	if !d.Present || d.Mask == 0 {
		return nil, fmt.Errorf("mark packets: Docker accepts none in all of its networks: %w", api.ErrUnsupported)
	}
	want := map[host.Family]marking{}
	for _, f := range host.Families() {
		m := marking{from: f.Of(w.PeerPrefixes()), to: f.Of(w.LocalPrefixes()), uplink: w.Uplink, mark: d.Mark, mask: d.Mask}
		if w.Strict {
			m.mark, m.mask = 0, 0
		}
		if w.Incomplete {
			have, err := p.tables.Read(ctx, tableID(f))
			if err != nil {
				return nil, err
			}
			m.from, m.to = append(m.from, have.Sets[remotes]...), append(m.to, have.Sets[localNets]...)
		}
		want[f] = m
	}
	return p.planTables(ctx, want, d, w.Incomplete)
}

// Guards leaves of the tables what stands in for Docker's own drops, and makes it before
// Docker is told to do without them.
func (p *Part) Guards(ctx context.Context) ([]host.Step, error) {
	d, err := p.docker(ctx)
	if err != nil {
		return nil, err
	}
	return p.planTables(ctx, nil, d, false)
}

// planTables brings the tables to what is wanted of each family, with the bridges guarded that
// Docker closes. What guards other bridges stays if it is to be kept, and while Docker, which
// is then starting or without its table, does not say anything of that bridge.
func (p *Part) planTables(ctx context.Context, want map[host.Family]marking, d firewall.DockerTable, keep bool) ([]host.Step, error) {
	guards, err := p.guards(d, keep)
	if err != nil {
		return nil, err
	}
	steps := p.rememberTables(guards, want)
	for _, f := range host.Families() {
		ours := slices.DeleteFunc(slices.Clone(guards), func(g host.Local) bool { return host.FamilyOf(g.Prefix) != f })
		m := want[f]
		if len(m.to)+len(ours) == 0 {
			removed, err := p.removeTable(f)
			if err != nil {
				return steps, err
			}
			steps = append(steps, removed...)
			continue
		}
		have, err := p.tables.Read(ctx, tableID(f))
		if err != nil {
			return steps, err
		}
		what := fmt.Sprintf("%d ranges of others marked for Docker toward %v", len(m.from), m.to)
		if m.uplink == "" {
			what = fmt.Sprintf("only Docker's own guard of %d subnets kept", len(ours))
		}
		steps = append(steps, p.tables.Write(host.KindMark, what, m.table(f, ours), have)...)
	}
	return steps, nil
}

// rememberTables notes what is guarded and marked, before it is.
func (p *Part) rememberTables(guards []host.Local, want map[host.Family]marking) []host.Step {
	m := memory{Guards: guards, Mark: want[host.IPv4].mark, Mask: want[host.IPv4].mask}
	if have := p.record.Value(); slices.Equal(have.Guards, m.Guards) && have.Mark == m.Mark && have.Mask == m.Mask {
		return nil
	}
	return []host.Step{p.record.RememberStep(func(to *memory) { *to = m })}
}

// Leave takes the marks away. What stands in for Docker's own drops stays as long as Docker
// may be without them, or will be when it starts next. While Docker's table is gone, so that
// nothing keeps strangers out, the guard is put back as it was, and other hosts let in past it.
func (p *Part) Leave(ctx context.Context, w host.Wish) ([]host.Step, error) {
	d, err := p.docker(ctx)
	if err != nil {
		return nil, err
	}
	there, err := p.there()
	if err != nil || !there && len(p.record.Value().Guards) == 0 && !p.engine.Guarded() {
		return nil, err
	}
	needed, err := p.guardNeeded(ctx, d)
	switch {
	case err != nil:
		return nil, err
	case !needed:
		return p.removeTables()
	case d.Present:
		return p.Guards(ctx)
	case there || len(p.record.Value().Guards) == 0:
		return nil, nil
	}
	last, want := p.record.Value(), map[host.Family]marking{}
	for _, f := range host.Families() {
		if !w.Strict { // strictly, only Docker knows what is published
			want[f] = marking{from: f.Of(w.PeerPrefixes()), to: f.Of(w.LocalPrefixes()), uplink: w.Uplink, mark: last.Mark, mask: last.Mask}
		}
	}
	return p.planTables(ctx, want, d, true)
}

// guardNeeded reports whether Docker may be without its own drops: by its options, or since
// nobody can tell, with its table gone and no rules of its elsewhere.
func (p *Part) guardNeeded(ctx context.Context, d firewall.DockerTable) (bool, error) {
	if p.engine.Guarded() || p.engine.Direct() {
		return true, nil
	}
	if d.Present {
		return false, nil
	}
	elsewhere, err := p.engine.InIPTables(ctx)
	return !elsewhere, err
}

// Undo takes marks and guard away, but for what Leave says must stay.
func (p *Part) Undo(ctx context.Context) ([]host.Step, error) {
	if !p.engine.Guarded() || p.engine.Reset() {
		return p.removeTables()
	}
	d, err := p.docker(ctx)
	if err != nil || !d.Present {
		return nil, err
	}
	return p.Guards(ctx)
}

// there reports whether there is a table of ours.
func (p *Part) there() (bool, error) {
	for _, f := range host.Families() {
		if there, err := p.tables.Has(tableID(f)); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

func (p *Part) removeTables() ([]host.Step, error) {
	steps, err := host.CollectSteps(host.Families(), p.removeTable)
	if last := p.record.Value(); len(last.Guards) > 0 || last.Mask != 0 {
		steps = append(steps, p.record.RememberStep(func(to *memory) { *to = memory{} }))
	}
	return steps, err
}

func (p *Part) removeTable(f host.Family) ([]host.Step, error) {
	return p.tables.Remove(host.KindMark, "nothing marked", tableID(f))
}
