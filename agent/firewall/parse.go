package firewall

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
)

// Parse reads a dump. An error, of kind [api.ErrInvalid], means that a text is no dump; a rule
// that is merely not understood is none.
func Parse(d Dump) (*Ruleset, error) {
	r := &Ruleset{}
	for _, u := range d.Unread {
		r.unproven = append(r.unproven, u.String())
	}
	var saved []*table
	for _, s := range []struct {
		backend, family string
		save            Save
	}{
		{iptablesNFT, "ip", ReadSave(d.NFT)},
		{iptablesNFT, "ip6", ReadSave(d.NFT6)},
		{iptablesLegacy, "ip", ReadSave(d.Legacy)},
		{iptablesLegacy, "ip6", ReadSave(d.Legacy6)},
	} {
		if s.save.bad != nil {
			return nil, fmt.Errorf("%s of family %s: %w", s.backend, s.family, s.save.bad)
		}
		r.marks = append(r.marks, markUse{bits: s.save.markBits()})
		saved = append(saved, s.save.tablesOf(s.backend, s.family, d.Sets)...)
		if d.Ruleset == "" && strings.Contains(s.save.text, "incompatible") {
			r.unproven = append(r.unproven, s.backend+" cannot print a table, and the rules of nftables were not read")
		}
	}
	listed, err := r.readListing(d)
	if err != nil {
		return nil, fmt.Errorf("nft ruleset: %w", err)
	}
	r.arrange(mergeTables(saved, listed))
	return r, nil
}

// mergeTables puts the tables of nftables beside those of iptables. A table that iptables-nft
// printed is there twice: nft tells which chains it has and where they hang, iptables-save
// what those rules mean that nft cannot print.
func mergeTables(saved, listed []*table) []*table {
	all := slices.Clone(listed)
	for _, s := range saved {
		at := slices.IndexFunc(listed, func(t *table) bool {
			return s.backend == iptablesNFT && t.family == s.family && t.name == s.name
		})
		if at < 0 {
			all = append(all, s)
			continue
		}
		t := listed[at]
		for _, c := range t.order {
			old := s.chains[c.name]
			if old == nil {
				continue
			}
			c.backend = iptablesNFT
			if len(old.rules) == len(c.rules) {
				c.rules = old.rules
			}
		}
	}
	return all
}

// readListing reads the documents that nft -j prints, and returns the tables that are modelled.
func (r *Ruleset) readListing(d Dump) ([]*table, error) {
	var all []*nftTable
	decoder := json.NewDecoder(strings.NewReader(d.Ruleset))
	for {
		var document struct{ Nftables []nftObject }
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is not what nft -j prints: %w: %w", err, api.ErrInvalid)
		}
		if document.Nftables == nil {
			return nil, fmt.Errorf("it is not what nft -j prints: %w", api.ErrInvalid)
		}
		all = addObjects(all, document.Nftables)
	}
	var listed []*table
	for _, t := range all {
		switch {
		case t.asleep, slices.Contains(d.Dormant, t.family+" "+t.name):
		case t.family == "ip", t.family == "ip6", t.family == "inet":
			listed = append(listed, r.readTable(t))
		default:
			r.unproven = append(r.unproven, t.outsideDrops()...)
		}
	}
	r.docker.sort()
	return listed, nil
}

// addObjects puts the objects of a document to their tables.
func addObjects(all []*nftTable, objects []nftObject) []*nftTable {
	of := func(family, name string) *nftTable {
		at := slices.IndexFunc(all, func(t *nftTable) bool { return t.family == family && t.name == name })
		if at < 0 {
			at = len(all)
			all = append(all, &nftTable{family: family, name: name, rules: map[string][]*nftRule{}, sets: map[string][]any{}})
		}
		return all[at]
	}
	for _, o := range objects {
		switch {
		case o.Table != nil:
			of(o.Table.Family, o.Table.Name).asleep = slices.Contains(stringsOf(o.Table.Flags), "dormant")
		case o.Chain != nil:
			t := of(o.Chain.Family, o.Chain.Table)
			t.chains = slices.DeleteFunc(t.chains, func(c *nftChain) bool { return c.Name == o.Chain.Name })
			t.chains = append(t.chains, o.Chain)
			delete(t.rules, o.Chain.Name)
		case o.Rule != nil:
			t := of(o.Rule.Family, o.Rule.Table)
			t.rules[o.Rule.Chain] = append(t.rules[o.Rule.Chain], o.Rule)
		case o.Set != nil:
			of(o.Set.Family, o.Set.Table).sets[o.Set.Name] = o.Set.Elem
		case o.Map != nil:
			of(o.Map.Family, o.Map.Table).sets[o.Map.Name] = o.Map.Elem
		}
	}
	return all
}

// readTable makes the model of a table, and notes what else it says.
func (r *Ruleset) readTable(t *nftTable) *table {
	m := &table{backend: nftables, family: t.family, name: t.name, chains: map[string]*chain{}}
	use := markUse{family: t.family, table: t.name}
	for _, c := range t.chains {
		into := m.addChain(c.Name)
		into.hook, into.priority = hookNamed(c.Hook), c.Prio
		into.nat, into.drop = c.Type == "nat", c.Policy == "drop"
		for _, one := range t.rules[c.Name] {
			into.appendRule(t.steps(one.Expr), ruleText(one))
			use.bits |= exprMarks(one.Expr)
		}
		if t.name == dockerTable {
			r.docker.learnChain(t.family, c.Name, t.rules[c.Name])
		}
	}
	r.marks = append(r.marks, use)
	return m
}

// outsideDrops names the base chains of a family that is not modelled which may drop.
func (t *nftTable) outsideDrops() []string {
	if t.family != "bridge" && t.family != "netdev" {
		return nil
	}
	drops := false
	for _, rules := range t.rules {
		drops = drops || slices.ContainsFunc(rules, func(r *nftRule) bool {
			return slices.ContainsFunc(r.Expr, func(e any) bool {
				_, printed := e.(string) // what nft has no JSON for
				return printed || mayDrop(e)
			})
		})
	}
	var all []string
	for _, c := range t.chains {
		if c.Hook != "" && (c.Policy == "drop" || drops) {
			all = append(all, fmt.Sprintf("nftables, table %s %s, chain %s may drop packets at hook %s, and is not followed", t.family, t.name, c.Name, c.Hook))
		}
	}
	return all
}

// mayDrop says whether a drop is somewhere in an expression.
func mayDrop(e any) bool {
	switch e := e.(type) {
	case map[string]any:
		for key, value := range e {
			if key == "drop" || key == "reject" || key == "queue" || mayDrop(value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(e, mayDrop)
	}
	return false
}
