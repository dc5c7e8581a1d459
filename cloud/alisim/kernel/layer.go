package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"

	"github.com/sealane/sealane/cloud/alisim"
)

// layer queues the parts of a table for one transaction.
type layer struct {
	conn  *nftables.Conn
	table *nftables.Table
	sets  uint32 // queued so far
}

// lay queues all that the table holds.
func (l *layer) lay(f filter) error {
	if err := l.set(nftables.Set{Name: setVacant, KeyType: nftables.TypeIFName}, names(f.vacant)); err != nil {
		return err
	}
	if err := l.networks(f.vpcs); err != nil {
		return err
	}
	if err := l.addresses(f.own); err != nil {
		return err
	}
	for _, d := range directions() {
		if err := l.groups(d, f.chains[d], f.asked[d]); err != nil {
			return err
		}
	}
	l.base(chainIn, nftables.ChainHookInput, absent(alisim.Egress), neighbours(), foreign(v4(), alisim.Egress), foreign(v6(), alisim.Egress))
	l.base(chainOut, nftables.ChainHookOutput, absent(alisim.Ingress))
	l.base(chainAcross, nftables.ChainHookForward, absent(alisim.Egress), absent(alisim.Ingress), strangers(),
		foreign(v4(), alisim.Egress), foreign(v6(), alisim.Egress), foreign(v4(), alisim.Ingress), foreign(v6(), alisim.Ingress),
		replies(), ask(alisim.Egress), ask(alisim.Ingress))
	return nil
}

// networks queues what keeps VPCs apart.
func (l *layer) networks(vpcs map[string]int) error {
	number := func(link string) []byte { return binaryutil.NativeEndian.PutUint32(uint32(vpcs[link])) }
	var elements, same []nftables.SetElement
	known := map[int]bool{}
	for _, link := range slices.Sorted(maps.Keys(vpcs)) {
		elements = append(elements, nftables.SetElement{Key: ifname(link), Val: number(link)})
		if !known[vpcs[link]] {
			known[vpcs[link]] = true
			same = append(same, nftables.SetElement{Key: slices.Concat(number(link), number(link))})
		}
	}
	if err := l.set(nftables.Set{Name: mapVPC, KeyType: nftables.TypeIFName, DataType: nftables.TypeMark, IsMap: true}, elements); err != nil {
		return err
	}
	key, err := nftables.ConcatSetType(nftables.TypeMark, nftables.TypeMark)
	if err != nil {
		return err
	}
	return l.set(nftables.Set{Name: setSame, KeyType: key, Concatenation: true}, same)
}

// names are links as elements of a set.
func names(links []string) []nftables.SetElement {
	var elements []nftables.SetElement
	for _, link := range links {
		elements = append(elements, nftables.SetElement{Key: ifname(link)})
	}
	return elements
}

// addresses queues what the check of source and destination looks at.
func (l *layer) addresses(own map[string][]netip.Addr) error {
	links := slices.Sorted(maps.Keys(own))
	if err := l.set(nftables.Set{Name: setChecked, KeyType: nftables.TypeIFName}, names(links)); err != nil {
		return err
	}
	for _, ip := range families() {
		var elements []nftables.SetElement
		for _, link := range links {
			for _, a := range ip.of(own[link]) {
				elements = append(elements, nftables.SetElement{Key: append(ifname(link), a.AsSlice()...)})
			}
		}
		key, err := nftables.ConcatSetType(nftables.TypeIFName, ip.kind)
		if err != nil {
			return err
		}
		if err := l.set(nftables.Set{Name: ownSet(ip), KeyType: key, Concatenation: true}, elements); err != nil {
			return err
		}
	}
	return nil
}

// groups queues the chains of a direction, and the map from links to them.
func (l *layer) groups(d alisim.Direction, chains []chain, asked map[string]int) error {
	name := func(n int) string { return fmt.Sprintf("%s-%d", d, n) }
	for n, c := range chains {
		var rules [][]expr.Any
		for _, v := range c {
			more, err := l.rules(v, d)
			if err != nil {
				return err
			}
			rules = append(rules, more...)
		}
		l.chain(&nftables.Chain{Name: name(n)}, rules)
	}
	var elements []nftables.SetElement
	for _, link := range slices.Sorted(maps.Keys(asked)) {
		elements = append(elements, nftables.SetElement{Key: ifname(link), VerdictData: &expr.Verdict{Kind: expr.VerdictJump, Chain: name(asked[link])}})
	}
	return l.set(nftables.Set{Name: string(d), KeyType: nftables.TypeIFName, DataType: nftables.TypeVerdict, IsMap: true}, elements)
}

// rules are those of one verdict. A network is matched by itself; single addresses, the
// members of a group, by a set, which is as quick for a thousand as for one.
func (l *layer) rules(v alisim.Verdict, d alisim.Direction) ([][]expr.Any, error) {
	end := append(service(v), decision(v.Accept))
	if v.Peers == nil {
		return [][]expr.Any{end}, nil
	}
	var rules [][]expr.Any
	members := map[string][]nftables.SetElement{}
	for _, p := range v.Peers {
		if p.IsSingleIP() {
			name := familyOf(p.Addr()).name
			members[name] = append(members[name], nftables.SetElement{Key: p.Addr().AsSlice()})
			continue
		}
		rules = append(rules, append(within(p, d), end...))
	}
	for _, ip := range families() {
		if len(members[ip.name]) == 0 {
			continue
		}
		name := fmt.Sprintf("members-%d", l.sets+1)
		if err := l.set(nftables.Set{Name: name, KeyType: ip.kind}, members[ip.name]); err != nil {
			return nil, err
		}
		rules = append(rules, append(among(ip, name, d), end...))
	}
	return rules, nil
}

// chunk is how many elements go into a message: an attribute of netlink ends at 64 KiB.
const chunk = 500

// set queues a set or a map. The sets of a transaction are numbered.
func (l *layer) set(s nftables.Set, elements []nftables.SetElement) error {
	l.sets++
	s.Table, s.ID = l.table, l.sets
	if err := l.conn.AddSet(&s, nil); err != nil {
		return err
	}
	for some := range slices.Chunk(elements, chunk) {
		if err := l.conn.SetAddElements(&s, some); err != nil {
			return err
		}
	}
	return nil
}

// base queues a chain that packets come to by themselves.
func (l *layer) base(name string, hook *nftables.ChainHook, rules ...[]expr.Any) {
	l.chain(&nftables.Chain{Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter}, rules)
}

func (l *layer) chain(c *nftables.Chain, rules [][]expr.Any) {
	c.Table = l.table
	l.conn.AddChain(c)
	for _, exprs := range rules {
		l.conn.AddRule(&nftables.Rule{Table: l.table, Chain: c, Exprs: exprs})
	}
}
