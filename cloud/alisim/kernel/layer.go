package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/sealane/sealane/cloud/alisim"
)

// layer queues the parts of a table for one transaction.
type layer struct {
	conn  *nftables.Conn
	table *nftables.Table
	sets  uint32 // queued so far
}

// queueFilter queues all that the table holds.
func (l *layer) queueFilter(f filter) error {
	if err := l.queueSet(nftables.Set{Name: setVacant, KeyType: nftables.TypeIFName}, linkElements(f.vacant)); err != nil {
		return err
	}
	if err := l.queueNetworks(f.vpcs); err != nil {
		return err
	}
	if err := l.queueAddresses(f.own); err != nil {
		return err
	}
	for _, d := range directions() {
		if err := l.queueGroups(d, f.chains[d], f.asked[d]); err != nil {
			return err
		}
	}
	l.queueBase(chainIn, nftables.ChainHookInput, dropLinks(alisim.Egress, setVacant), acceptNeighbours(), dropForeign(v4(), alisim.Egress), dropForeign(v6(), alisim.Egress))
	l.queueBase(chainOut, nftables.ChainHookOutput, dropLinks(alisim.Ingress, setVacant))
	l.queueBase(chainAcross, nftables.ChainHookForward, dropLinks(alisim.Egress, setVacant), dropLinks(alisim.Ingress, setVacant), jumpByLink(alisim.Egress, mapVPC),
		dropForeign(v4(), alisim.Egress), dropForeign(v6(), alisim.Egress), dropForeign(v4(), alisim.Ingress), dropForeign(v6(), alisim.Ingress),
		acceptReplies(), jumpByLink(alisim.Egress, string(alisim.Egress)), jumpByLink(alisim.Ingress, string(alisim.Ingress)))
	return nil
}

// queueNetworks queues a chain for each VPC, which drops what goes to the links of the others, and
// the map from links to them.
func (l *layer) queueNetworks(vpcs map[string]int) error {
	links := slices.Sorted(maps.Keys(vpcs))
	var elements []nftables.SetElement
	for _, n := range slices.Compact(slices.Sorted(maps.Values(vpcs))) {
		name, set := fmt.Sprintf("%s-%d", mapVPC, n), fmt.Sprintf("others-%d", n)
		others := slices.DeleteFunc(slices.Clone(links), func(link string) bool { return vpcs[link] == n })
		if err := l.queueSet(nftables.Set{Name: set, KeyType: nftables.TypeIFName}, linkElements(others)); err != nil {
			return err
		}
		l.queueChain(&nftables.Chain{Name: name}, [][]expr.Any{dropLinks(alisim.Ingress, set)})
	}
	for _, link := range links {
		elements = append(elements, jumpElement(link, fmt.Sprintf("%s-%d", mapVPC, vpcs[link])))
	}
	return l.queueSet(nftables.Set{Name: mapVPC, KeyType: nftables.TypeIFName, DataType: nftables.TypeVerdict, IsMap: true}, elements)
}

// jumpElement is an element that leads from a link to a chain.
func jumpElement(link, chain string) nftables.SetElement {
	return nftables.SetElement{Key: ifname(link), VerdictData: &expr.Verdict{Kind: expr.VerdictJump, Chain: chain}}
}

// linkElements are links as elements of a set.
func linkElements(links []string) []nftables.SetElement {
	var elements []nftables.SetElement
	for _, link := range links {
		elements = append(elements, nftables.SetElement{Key: ifname(link)})
	}
	return elements
}

// queueAddresses queues what the check of source and destination looks at.
func (l *layer) queueAddresses(own map[string][]netip.Addr) error {
	links := slices.Sorted(maps.Keys(own))
	if err := l.queueSet(nftables.Set{Name: setChecked, KeyType: nftables.TypeIFName}, linkElements(links)); err != nil {
		return err
	}
	for _, ip := range families() {
		var elements []nftables.SetElement
		for _, link := range links {
			for _, a := range ip.addressesOf(own[link]) {
				elements = append(elements, nftables.SetElement{Key: append(ifname(link), a.AsSlice()...)})
			}
		}
		key, err := nftables.ConcatSetType(nftables.TypeIFName, ip.kind)
		if err != nil {
			return err
		}
		if err := l.queueSet(nftables.Set{Name: ownSet(ip), KeyType: key, Concatenation: true}, elements); err != nil {
			return err
		}
	}
	return nil
}

// queueGroups queues the chains of a direction, and the map from links to them.
func (l *layer) queueGroups(d alisim.Direction, chains []chain, asked map[string]int) error {
	name := func(n int) string { return fmt.Sprintf("%s-%d", d, n) }
	for n, c := range chains {
		var rules [][]expr.Any
		for _, v := range c {
			more, err := l.groupRules(v, d)
			if err != nil {
				return err
			}
			rules = append(rules, more...)
		}
		l.queueChain(&nftables.Chain{Name: name(n)}, rules)
	}
	var elements []nftables.SetElement
	for _, link := range slices.Sorted(maps.Keys(asked)) {
		elements = append(elements, jumpElement(link, name(asked[link])))
	}
	return l.queueSet(nftables.Set{Name: string(d), KeyType: nftables.TypeIFName, DataType: nftables.TypeVerdict, IsMap: true}, elements)
}

// groupRules are those of one verdict. A network is matched by itself; single addresses, the
// members of a group, by a set, which is as quick for a thousand as for one.
func (l *layer) groupRules(v alisim.Verdict, d alisim.Direction) ([][]expr.Any, error) {
	end := append(matchService(v), groupVerdict(v.Accept))
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
		rules = append(rules, append(matchNetwork(p, d), end...))
	}
	for _, ip := range families() {
		if len(members[ip.name]) == 0 {
			continue
		}
		name := fmt.Sprintf("members-%d", l.sets+1)
		if err := l.queueSet(nftables.Set{Name: name, KeyType: ip.kind}, members[ip.name]); err != nil {
			return nil, err
		}
		rules = append(rules, append(matchSet(ip, name, d), end...))
	}
	return rules, nil
}

// elementsPerMessage is how many elements go into a message: an attribute of netlink ends at 64 KiB.
const elementsPerMessage = 500

// queueSet queues a set or a map. The sets of a transaction are numbered.
func (l *layer) queueSet(s nftables.Set, elements []nftables.SetElement) error {
	l.sets++
	s.Table, s.ID = l.table, l.sets
	if err := l.conn.AddSet(&s, nil); err != nil {
		return err
	}
	for some := range slices.Chunk(elements, elementsPerMessage) {
		if err := l.conn.SetAddElements(&s, some); err != nil {
			return err
		}
	}
	return nil
}

// queueBase queues a chain that packets come to by themselves.
func (l *layer) queueBase(name string, hook *nftables.ChainHook, rules ...[]expr.Any) {
	l.queueChain(&nftables.Chain{Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter}, rules)
}

func (l *layer) queueChain(c *nftables.Chain, rules [][]expr.Any) {
	c.Table = l.table
	l.conn.AddChain(c)
	for _, exprs := range rules {
		l.conn.AddRule(&nftables.Rule{Table: l.table, Chain: c, Exprs: exprs})
	}
}
