package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The table that keeps source addresses, ahead of Docker's masquerade:
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
// would not end it, and a rule in Docker's own chain is outranked at its next start. The
// table exists only while there is something to keep.
const (
	sourceTable = "sealane"
	setFrom     = "localnets"
	setTo       = "remotenets"
	chainPost   = "post"
)

// planSource makes the table say what the wish says, replacing it as a whole. The kernel
// asks it for the first packet of a connection only: one that began masqueraded stays so to
// its end. To forget its translation would break it, since the peer knows no other address.
func (h *Host) planSource(ctx context.Context, w Wish) ([]Step, error) {
	if w.Uplink == "" {
		return nil, nil // the rules say so
	}
	from, to := merge(spans(w.KeepFrom)), merge(spans(w.Keep))
	if len(from) == 0 || len(to) == 0 {
		if w.Incomplete {
			return nil, nil
		}
		return h.undoSource(ctx)
	}
	have, err := h.source.look(readSource)
	if err != nil {
		return nil, err
	}
	if w.Incomplete {
		from, to = merge(append(from, have.from...)), merge(append(to, have.to...))
	}
	if have.intact && slices.Equal(have.from, from) && slices.Equal(have.to, to) {
		return nil, nil
	}
	what := fmt.Sprintf("kept from %v to %v", w.KeepFrom, w.Keep)
	return []Step{step(KindSource, what, "nft -f - <<'END'\n"+sourceText(from, to)+"END", func(context.Context) error {
		conn, err := nftables.New()
		if err == nil {
			err = writeSource(conn, from, to)
		}
		return wrap("write table ip "+sourceTable, err)
	})}, nil
}

// sourceText is the table as nft reads it.
func sourceText(from, to []span) string {
	return "table ip " + sourceTable + " {}\ndelete table ip " + sourceTable + "\ntable ip " + sourceTable + " {\n" +
		setText(setFrom, "ipv4_addr", from) + setText(setTo, "ipv4_addr", to) +
		"\tchain " + chainPost + " {\n\t\ttype nat hook postrouting priority srcnat - 10; policy accept;\n" +
		"\t\tip saddr @" + setFrom + " ip daddr @" + setTo + " snat to ip saddr\n\t}\n}\n"
}

func (h *Host) undoSource(context.Context) ([]Step, error) {
	have, err := h.source.look(readSource)
	if !have.there || err != nil {
		return nil, err
	}
	return []Step{step(KindSource, "no source address kept", "nft delete table ip "+sourceTable, func(context.Context) error {
		conn, err := nftables.New()
		if err == nil {
			conn.DelTable(&nftables.Table{Name: sourceTable, Family: nftables.TableFamilyIPv4})
			err = conn.Flush()
		}
		return wrap("remove table ip "+sourceTable, err)
	})}, nil
}

// findTable is the table of that name; nil if there is none.
func findTable(conn *nftables.Conn, f family, name string) (*nftables.Table, error) {
	tables, err := conn.ListTablesOfFamily(f.nft())
	if noSubsystem(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", hint(err))
	}
	for _, t := range tables {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, nil
}

// kept tells toward which destinations the table keeps sources.
func (h *Host) kept() ([]netip.Prefix, error) {
	have, err := h.source.look(readSource)
	if err != nil || !have.intact {
		return nil, err
	}
	return prefixes(have.to), nil
}

// source is what the table says.
type source struct {
	there    bool
	from, to []span
	intact   bool // the chain and its rule are as we write them
}

func readSource(conn *nftables.Conn) (source, error) {
	table, err := findTable(conn, family{}, sourceTable)
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
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
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
		s.intact = c.Priority != nil && *c.Priority == sourcePriority() && len(rules) == 1 && sameExprs(rules[0].Exprs, keepRule())
	}
	return s, nil
}

func sourcePriority() nftables.ChainPriority { return *nftables.ChainPriorityNATSource - 10 }

// writeSource replaces the table in one transaction. It is added first, since only then
// can it be deleted whether it was there or not.
func writeSource(conn *nftables.Conn, from, to []span) error {
	table := &nftables.Table{Name: sourceTable, Family: nftables.TableFamilyIPv4}
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
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: keepRule()})
	return conn.Flush()
}

// keepRule is "ip saddr @localnets ip daddr @remotenets snat to ip saddr".
func keepRule() []expr.Any {
	const saddr, daddr = 12, 16 // offsets in the IPv4 header
	load := func(offset uint32) expr.Any {
		return &expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4, DestRegister: 1}
	}
	return []expr.Any{
		load(saddr), &expr.Lookup{SourceRegister: 1, SetName: setFrom},
		load(daddr), &expr.Lookup{SourceRegister: 1, SetName: setTo},
		load(saddr), &expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
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
