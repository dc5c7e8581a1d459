package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// markRules are the rules of chain pre.
func markRules(f host.Family, m marking) [][]expr.Any {
	source, target, size := headerOf(f)
	load := func(offset uint32) expr.Any {
		return &expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size, DestRegister: 1}
	}
	in := func(op expr.CmpOp, name string) []expr.Any {
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: ifname(name)}}
	}
	var rules [][]expr.Any
	if m.uplink != "" {
		member := append(in(expr.CmpOpEq, m.uplink),
			load(source), &expr.Lookup{SourceRegister: 1, SetName: setTo},
			load(target), &expr.Lookup{SourceRegister: 1, SetName: setFrom})
		if m.mask != 0 {
			member = append(member, &expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
				&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(^m.mask), Xor: binaryutil.NativeEndian.PutUint32(m.mark)},
				&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1})
		}
		rules = append(rules, append(member, &expr.Verdict{Kind: expr.VerdictAccept}))
	}
	for _, g := range m.guarded {
		rules = append(rules, slices.Concat(in(expr.CmpOpNeq, g.Bridge), within(g.Prefix, target), []expr.Any{
			&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagDADDR: true},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
			&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitINVALID | expr.CtStateBitNEW), Xor: make([]byte, 4)},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
			&expr.Verdict{Kind: expr.VerdictDrop},
		}))
	}
	return rules
}

// within compares the address at an offset with a prefix, in the way that the command nft
// does, so that what it wrote is not written again: of whole bytes it looks at those only.
func within(p netip.Prefix, offset uint32) []expr.Any {
	address, size := p.Masked().Addr().AsSlice(), p.Addr().BitLen()/8
	load := &expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(size), DestRegister: 1}
	if p.Bits() > 0 && p.Bits()%8 == 0 {
		load.Len = uint32(p.Bits() / 8)
		return []expr.Any{load, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: address[:load.Len]}}
	}
	return []expr.Any{
		load, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(size), Mask: net.CIDRMask(p.Bits(), 8*size), Xor: make([]byte, size)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: address},
	}
}

// guardOf is the bridge that a rule guards; empty if it guards none.
func guardOf(rule []expr.Any) string {
	if kind, _ := verdict(&nftables.Rule{Exprs: rule}); kind != expr.VerdictDrop {
		return ""
	}
	if c, ok := rule[min(1, len(rule)-1)].(*expr.Cmp); ok {
		return text(c.Data)
	}
	return ""
}

// ifname is the name of an interface as rules compare it.
func ifname(name string) []byte {
	var padded [16]byte
	copy(padded[:], name)
	return padded[:]
}

// markText is the table as nft reads it.
func markText(f host.Family, m marking) string {
	ip, kind := f.NFT(), addressType(f)
	var b strings.Builder
	table := "table " + ip + " " + markTable
	fmt.Fprintf(&b, "%[1]s {}\ndelete %[1]s\n%[1]s {\n", table)
	b.WriteString(setText(setFrom, kind, m.to) + setText(setTo, kind, m.from))
	fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n", chainPre)
	if m.uplink != "" {
		fmt.Fprintf(&b, "\t\tiifname %[1]q %[2]s saddr @%[3]s %[2]s daddr @%[4]s", m.uplink, ip, setTo, setFrom)
		if m.mask != 0 {
			fmt.Fprintf(&b, " meta mark set meta mark & %#x | %#x", ^m.mask, m.mark)
		}
		b.WriteString(" accept\n")
	}
	for _, g := range m.guarded {
		fmt.Fprintf(&b, "\t\tiifname != %q %s daddr %s fib daddr type != local ct state invalid,new drop\n", g.Bridge, ip, g.Prefix)
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// setText is a set of addresses as nft reads it.
func setText(name, kind string, members []span) string {
	if len(members) == 0 {
		return fmt.Sprintf("\tset %s { type %s; flags interval; }\n", name, kind)
	}
	var texts []string
	for _, p := range prefixes(members) {
		texts = append(texts, p.String())
	}
	return fmt.Sprintf("\tset %s { type %s; flags interval; elements = { %s }; }\n", name, kind, strings.Join(texts, ", "))
}

// readMarking reads the table of a family. Its rules are nil without one, and when the
// chain is not as we make it.
func readMarking(conn *nftables.Conn, f host.Family) (marking, error) {
	table, err := findTable(conn, f, markTable)
	if table == nil || err != nil {
		return marking{}, err
	}
	m := marking{there: true}
	sets, err := conn.GetSets(table)
	if err != nil {
		return marking{}, err
	}
	for _, set := range sets {
		elements, err := conn.GetSetElements(set)
		if err != nil {
			return marking{}, err
		}
		switch set.Name {
		case setFrom:
			m.to = spansOf(elements)
		case setTo:
			m.from = spansOf(elements)
		}
	}
	chains, err := conn.ListChainsOfTableFamily(nftFamily(f))
	if err != nil {
		return marking{}, err
	}
	for _, c := range chains {
		if c.Table.Name != markTable || c.Name != chainPre || c.Priority == nil || *c.Priority != *nftables.ChainPriorityMangle {
			continue
		}
		rules, err := conn.GetRules(table, c)
		if err != nil {
			return marking{}, err
		}
		for _, r := range rules {
			m.rules = append(m.rules, r.Exprs)
		}
	}
	return m, nil
}

// writeMarking replaces the table of a family in one transaction.
func writeMarking(conn *nftables.Conn, f host.Family, m marking) error {
	table := &nftables.Table{Name: markTable, Family: nftFamily(f)}
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	if err := errors.Join(addSet(conn, table, 1, setFrom, m.to), addSet(conn, table, 2, setTo, m.from)); err != nil {
		return err
	}
	accept := nftables.ChainPolicyAccept
	chain := conn.AddChain(&nftables.Chain{
		Name: chainPre, Table: table, Type: nftables.ChainTypeFilter, Policy: &accept,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle,
	})
	for _, exprs := range m.rules {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs})
	}
	return conn.Flush()
}

// undoMark removes the table of both families.
func (h *Host) undoMark() ([]host.Step, error) {
	var steps []host.Step
	var failures []error
	for _, f := range host.Families() {
		have, err := h.marking(f)
		if have.there {
			steps = append(steps, undoMarking(f))
		}
		failures = append(failures, err)
	}
	return steps, errors.Join(failures...)
}

func undoMarking(f host.Family) host.Step {
	name := f.NFT() + " " + markTable
	return host.NewStep(host.KindMark, "nothing marked", "nft delete table "+name, func(context.Context) error {
		conn, err := nftables.New()
		if err == nil {
			conn.DelTable(&nftables.Table{Name: markTable, Family: nftFamily(f)})
			err = conn.Flush()
		}
		return kernel.Wrap("remove table "+name, err)
	})
}
