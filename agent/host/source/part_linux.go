// Package source keeps the source addresses of connections to other hosts: Docker would
// masquerade them. The usual way is a table of nftables ahead of Docker's masquerade, for
// each family that has something to keep:
//
//	table ip sealane {
//		set localnets { type ipv4_addr; flags interval; }
//		set remotenets { type ipv4_addr; flags interval; }
//		chain post {
//			type nat hook postrouting priority 90; policy accept;
//			ip saddr @localnets ip daddr @remotenets snat to ip saddr
//		}
//	}
//
// Translating an address to itself gives the connection its mapping, after which no later
// NAT chain is asked, whether Docker's is in iptables-nft, iptables-legacy or nft. A mere
// accept would not end it, and a rule in Docker's own chain is outranked at its next start.
//
// A host without the command nft, or with a kernel that does not take such a table, goes the
// other way: a chain called first from POSTROUTING of iptables' own table nat, which accepts
// by two ipsets. There an accept does end it, as long as nobody gets ahead of it.
package source

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/api"
)

// The table and what is in it.
const (
	tableName = "sealane"
	localNets = "localnets"
	remotes   = "remotenets"
	chainPost = "post"
	priority  = 90 // ahead of Docker's, which is 100
)

// Part keeps sources. It is for one goroutine at a time.
type Part struct {
	tables  *nft.Client
	chains  Chains
	sets    Sets
	way     host.SourceWay // empty until the kernel was asked
	why     error          // why it is not the table
	cleared bool           // the chain of a former agent was looked for, and taken away
}

// New returns the part. It reads and changes nothing yet.
func New(tables *nft.Client, chains Chains, sets Sets) *Part {
	return &Part{tables: tables, chains: chains, sets: sets}
}

// keepTable is the table that keeps sources of one family.
func keepTable(f host.Family, from, to []netip.Prefix) nft.Table {
	ip := f.NFT()
	return nft.Table{
		Family: f, Name: tableName, Sets: []nft.Set{{Name: localNets, Members: from}, {Name: remotes, Members: to}},
		Chain: nft.Chain{
			Name: chainPost, Type: "nat", Hook: "postrouting", Priority: priority,
			Rules: []string{fmt.Sprintf("%[1]s saddr @%[2]s %[1]s daddr @%[3]s snat to %[1]s saddr", ip, localNets, remotes)},
		},
	}
}

// Way tells how sources are kept on this host, and why it is not by a table; nil if it is.
func (p *Part) Way(ctx context.Context) (way host.SourceWay, why, err error) {
	if why = p.tables.Absent(); why != nil {
		if !errors.Is(why, api.ErrUnsupported) {
			return "", nil, why
		}
		for _, f := range host.Families() {
			if there, err := p.tables.Has(keepTable(f, nil, nil).ID()); there || err != nil {
				return "", nil, errors.Join(err, fmt.Errorf("table %s is there and cannot be changed: %w", keepTable(f, nil, nil).ID(), why))
			}
		}
		p.way = "" // to be asked should it be installed
		return host.SourceChain, why, nil
	}
	if p.way == "" {
		if err := p.askKernel(ctx); err != nil {
			return "", nil, err
		}
	}
	return p.way, p.why, nil
}

// askKernel has the kernel look at our table without taking it. One that is too old has no
// NAT in nftables, or none beside that of iptables-legacy.
func (p *Part) askKernel(ctx context.Context) error {
	err := p.tables.Check(ctx, keepTable(host.IPv4, nil, nil).Text())
	for _, refusal := range []error{api.ErrUnsupported, unix.ENOENT, unix.EBUSY, unix.EINVAL, unix.EEXIST} {
		if errors.Is(err, refusal) {
			p.way, p.why = host.SourceChain, fmt.Errorf("the kernel does not take a NAT table of nftables: %w", err)
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("ask the kernel for a NAT table of nftables: %w", err)
	}
	p.way, p.why = host.SourceTable, nil
	return nil
}

// Plan has the host keep the sources that the wish names. The kernel asks table and chain for
// the first packet of a connection only: one that began masqueraded stays so to its end. To
// forget its translation would break it, since the peer knows no other address.
func (p *Part) Plan(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if w.Uplink == "" {
		return nil, nil // the rules say so
	}
	way, _, err := p.Way(ctx)
	if err != nil {
		return nil, err
	}
	plan := p.planTable
	if way == host.SourceChain {
		plan = p.planChain
	}
	steps, err := host.CollectSteps(host.Families(), func(f host.Family) ([]host.Step, error) { return plan(ctx, f, w) })
	if way == host.SourceTable && !p.cleared && !w.Incomplete {
		more, failure := p.undoChains(ctx)
		p.cleared = failure == nil && len(more) == 0
		steps, err = append(steps, more...), errors.Join(err, failure)
	}
	return steps, err
}

func (p *Part) planTable(ctx context.Context, f host.Family, w host.Wish) ([]host.Step, error) {
	from, to := f.Of(w.KeepFrom), f.Of(w.Keep)
	if len(from) == 0 || len(to) == 0 {
		if w.Incomplete {
			return nil, nil
		}
		return p.removeTable(f)
	}
	have, err := p.tables.Read(ctx, keepTable(f, nil, nil).ID())
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("kept from %v to %v", from, to)
	if w.Incomplete {
		from, to = append(from, have.Sets[localNets]...), append(to, have.Sets[remotes]...)
	}
	return p.tables.Write(host.KindSource, what, keepTable(f, from, to), have), nil
}

func (p *Part) removeTable(f host.Family) ([]host.Step, error) {
	return p.tables.Remove(host.KindSource, "no source address kept", keepTable(f, nil, nil).ID())
}

// Undo has no source kept any more, in either way.
func (p *Part) Undo(ctx context.Context) ([]host.Step, error) {
	steps, err := p.undoChains(ctx)
	tables, failure := host.CollectSteps(host.Families(), p.removeTable)
	return append(steps, tables...), errors.Join(err, failure)
}

// Kept tells toward which destinations sources are kept now.
func (p *Part) Kept(ctx context.Context) ([]netip.Prefix, error) {
	way, _, err := p.Way(ctx)
	if err != nil {
		return nil, err
	}
	var all []netip.Prefix
	for _, f := range host.Families() {
		if way == host.SourceChain {
			kept, err := p.keptByChain(ctx, f)
			if err != nil {
				return nil, err
			}
			all = append(all, kept...)
			continue
		}
		table := keepTable(f, nil, nil)
		have, err := p.tables.Read(ctx, table.ID())
		if err != nil {
			return nil, err
		}
		if table.Intact(have) {
			all = append(all, have.Sets[remotes]...)
		}
	}
	return all, nil
}
