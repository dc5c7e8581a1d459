package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// The table that keeps source addresses, ahead of Docker's masquerade, for each family that
// has something to keep:
//
//	table ip sealane {
//		set localnets, remotenets { type ipv4_addr; flags interval; }
//		chain post {
//			type nat hook postrouting priority srcnat - 10; policy accept;
//			ip saddr @localnets ip daddr @remotenets snat to ip saddr
//		}
//	}
//
// Translating an address to itself gives the connection its mapping, after which no later
// NAT chain is asked, be it Docker's in iptables-nft, iptables-legacy or nft. A mere accept
// would not end it, and a rule in Docker's own chain is outranked at its next start.
const (
	sourceTable = "sealane"
	setFrom     = "localnets"
	setTo       = "remotenets"
	chainPost   = "post"
)

// planSource makes the tables say what the wish says, replacing each as a whole. The kernel
// asks it for the first packet of a connection only: one that began masqueraded stays so to
// its end. To forget its translation would break it, since the peer knows no other address.
func (h *Host) planSource(_ context.Context, w host.Wish) ([]host.Step, error) {
	if w.Uplink == "" {
		return nil, nil // the rules say so
	}
	var steps []host.Step
	var failures []error
	for _, f := range host.Families() {
		more, err := h.planSourceOf(f, w)
		steps, failures = append(steps, more...), append(failures, err)
	}
	return steps, errors.Join(failures...)
}

func (h *Host) planSourceOf(f host.Family, w host.Wish) ([]host.Step, error) {
	have, err := h.keeping(f)
	if err != nil {
		return nil, err
	}
	keepFrom, keep := f.Of(w.KeepFrom), f.Of(w.Keep)
	from, to := merge(spans(keepFrom)), merge(spans(keep))
	if len(from) == 0 || len(to) == 0 {
		if w.Incomplete || !have.there {
			return nil, nil
		}
		return []host.Step{undoKeeping(f)}, nil
	}
	if w.Incomplete {
		from, to = merge(append(from, have.from...)), merge(append(to, have.to...))
	}
	if have.intact && slices.Equal(have.from, from) && slices.Equal(have.to, to) {
		return nil, nil
	}
	what := fmt.Sprintf("kept from %v to %v", keepFrom, keep)
	return []host.Step{host.NewStep(host.KindSource, what, "nft -f - <<'END'\n"+sourceText(f, from, to)+"END", func(context.Context) error {
		conn, err := nftables.New()
		if err == nil {
			err = writeSource(conn, f, from, to)
		}
		return kernel.Wrap("write table "+f.NFT()+" "+sourceTable, err)
	})}, nil
}

// sourceText is the table as nft reads it.
func sourceText(f host.Family, from, to []span) string {
	ip, kind := f.NFT(), addressType(f)
	table := "table " + ip + " " + sourceTable
	return table + " {}\ndelete " + table + "\n" + table + " {\n" +
		setText(setFrom, kind, from) + setText(setTo, kind, to) +
		"\tchain " + chainPost + " {\n\t\ttype nat hook postrouting priority srcnat - 10; policy accept;\n" +
		"\t\t" + ip + " saddr @" + setFrom + " " + ip + " daddr @" + setTo + " snat to " + ip + " saddr\n\t}\n}\n"
}

// undoSource removes the table of both families.
func (h *Host) undoSource(context.Context) ([]host.Step, error) {
	var steps []host.Step
	var failures []error
	for _, f := range host.Families() {
		have, err := h.keeping(f)
		if have.there {
			steps = append(steps, undoKeeping(f))
		}
		failures = append(failures, err)
	}
	return steps, errors.Join(failures...)
}

func undoKeeping(f host.Family) host.Step {
	name := f.NFT() + " " + sourceTable
	return host.NewStep(host.KindSource, "no source address kept", "nft delete table "+name, func(context.Context) error {
		conn, err := nftables.New()
		if err == nil {
			conn.DelTable(&nftables.Table{Name: sourceTable, Family: nftFamily(f)})
			err = conn.Flush()
		}
		return kernel.Wrap("remove table "+name, err)
	})
}

// keeping is what the table of a family says now.
func (h *Host) keeping(f host.Family) (source, error) {
	have, err := h.source[f].look(func(conn *nftables.Conn) (source, error) { return readSource(conn, f) })
	if err != nil {
		return have, fmt.Errorf("read table %s %s: %w", f.NFT(), sourceTable, kernel.Explain(err))
	}
	return have, nil
}

// findTable is the table of that name; nil if there is none.
func findTable(conn *nftables.Conn, f host.Family, name string) (*nftables.Table, error) {
	tables, err := conn.ListTablesOfFamily(nftFamily(f))
	if kernel.Lacks(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", kernel.Explain(err))
	}
	for _, t := range tables {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, nil
}

// kept tells toward which destinations the tables keep sources.
func (h *Host) kept() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, f := range host.Families() {
		have, err := h.keeping(f)
		if err != nil {
			return nil, err
		}
		if have.intact {
			all = append(all, prefixes(have.to)...)
		}
	}
	return all, nil
}

// source is what the table says.
type source struct {
	there    bool
	from, to []span
	intact   bool // the chain and its rule are as we write them
}

func readSource(conn *nftables.Conn, f host.Family) (source, error) {
	table, err := findTable(conn, f, sourceTable)
	if table == nil || err != nil {
		return source{}, err
	}
	s := source{there: true}
	sets, err := conn.GetSets(table)
	if err != nil {
		return source{}, err
	}
	for _, set := range sets {
		elements, err := conn.GetSetElements(set)
		if err != nil {
			return source{}, err
		}
		switch set.Name {
		case setFrom:
			s.from = spansOf(elements)
		case setTo:
			s.to = spansOf(elements)
		}
	}
	chains, err := conn.ListChainsOfTableFamily(nftFamily(f))
	if err != nil {
		return source{}, err
	}
	for _, c := range chains {
		if c.Table.Name != sourceTable || c.Name != chainPost {
			continue
		}
		rules, err := conn.GetRules(table, c)
		if err != nil {
			return source{}, err
		}
		s.intact = c.Priority != nil && *c.Priority == sourcePriority() && len(rules) == 1 && sameExprs(rules[0].Exprs, keepRule(f))
	}
	return s, nil
}

func sourcePriority() nftables.ChainPriority { return *nftables.ChainPriorityNATSource - 10 }

// writeSource replaces the table in one transaction. It is added first, since only then
// can it be deleted whether it was there or not.
func writeSource(conn *nftables.Conn, f host.Family, from, to []span) error {
	table := &nftables.Table{Name: sourceTable, Family: nftFamily(f)}
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	if err := errors.Join(addSet(conn, table, 1, setFrom, from), addSet(conn, table, 2, setTo, to)); err != nil {
		return err
	}
	priority := sourcePriority()
	accept := nftables.ChainPolicyAccept
	chain := conn.AddChain(&nftables.Chain{
		Name: chainPost, Table: table, Type: nftables.ChainTypeNAT, Policy: &accept,
		Hooknum: nftables.ChainHookPostrouting, Priority: &priority,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: keepRule(f)})
	return conn.Flush()
}

// keepRule is "ip saddr @localnets ip daddr @remotenets snat to ip saddr".
func keepRule(f host.Family) []expr.Any {
	saddr, daddr, size := headerOf(f)
	load := func(offset uint32) expr.Any {
		return &expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size, DestRegister: 1}
	}
	return []expr.Any{
		load(saddr), &expr.Lookup{SourceRegister: 1, SetName: setFrom},
		load(daddr), &expr.Lookup{SourceRegister: 1, SetName: setTo},
		load(saddr), &expr.NAT{Type: expr.NATTypeSourceNAT, Family: uint32(nftFamily(f)), RegAddrMin: 1},
	}
}

func sameExprs(have, want []expr.Any) bool {
	for _, e := range have {
		switch e := e.(type) {
		case *expr.NAT:
			// The kernel reports the range's end, and that an address is given, as well.
			*e = expr.NAT{Type: e.Type, Family: e.Family, RegAddrMin: e.RegAddrMin}
		case *expr.Lookup:
			e.SetID = 0
		}
	}
	return reflect.DeepEqual(have, want)
}
