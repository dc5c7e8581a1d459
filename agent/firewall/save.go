package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
)

// Save is what iptables-save or ip6tables-save printed, of either variant, chain by chain.
type Save struct {
	text     string
	tables   []string
	chains   map[string][]string // rules as printed, by "raw/PREROUTING"; a chain that is there has a key
	order    []string            // the chains, as printed
	policies map[string]string   // of the chains that have one
	bad      error               // why the text is not what iptables-save prints
}

// ReadSave takes what iptables-save printed apart. Counters are left out.
func ReadSave(text string) Save {
	s := Save{text: text, chains: map[string][]string{}, policies: map[string]string{}}
	table, n := "", 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if counters, rest, ok := strings.Cut(line, "] "); ok && strings.HasPrefix(counters, "[") {
			line = rest
		}
		words := strings.Fields(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == "COMMIT":
			table = ""
		case strings.HasPrefix(line, "*"):
			table = line[1:]
			s.tables = append(s.tables, table)
		case table == "":
			s.refuse(n, line, "is outside a table")
		case strings.HasPrefix(line, ":"):
			if name := s.add(table, words[0][1:]); len(words) > 1 && words[1] != "-" {
				s.policies[name] = words[1]
			}
		case len(words) > 1 && words[0] == "-A":
			name := s.add(table, words[1])
			s.chains[name] = append(s.chains[name], line)
		default:
			s.refuse(n, line, "is no rule")
		}
	}
	return s
}

func (s *Save) refuse(n int, line, why string) {
	if s.bad == nil {
		s.bad = fmt.Errorf("line %d, %q, %s: %w", n, line, why, api.ErrInvalid)
	}
}

func (s *Save) add(table, chain string) string {
	name := table + "/" + chain
	if _, known := s.chains[name]; !known {
		s.chains[name] = nil
		s.order = append(s.order, name)
	}
	return name
}

// TableNames are the names of the tables that are there.
func (s Save) TableNames() []string { return s.tables }

// ChainNames are the chains that are there, by table and name like "raw/PREROUTING".
func (s Save) ChainNames() []string { return s.order }

// ChainRules are those of a chain as printed, "-A CHAIN ..."; none if there is no such chain.
func (s Save) ChainRules(table, chain string) []string { return s.chains[table+"/"+chain] }

// HasChain reports whether there is a chain of that name, with rules or without.
func (s Save) HasChain(table, chain string) bool {
	_, ok := s.chains[table+"/"+chain]
	return ok
}

// Policy is that of a chain that comes with its table, ACCEPT or DROP; empty for others.
func (s Save) Policy(table, chain string) string { return s.policies[table+"/"+chain] }

// ForeignDrops are the rules that drop or reject in a chain of table filter, or in one that
// it leads to; chains named in own are not followed.
func (s Save) ForeignDrops(chain string, own ...string) []string {
	return s.foreignDrops(chain, slices.Clone(own))
}

func (s Save) foreignDrops(chain string, seen []string) []string {
	var found []string
	seen = append(seen, chain)
	for _, r := range s.ChainRules("filter", chain) {
		words := strings.Fields(r)
		at := slices.IndexFunc(words, func(w string) bool { return w == "-j" || w == "-g" })
		if at < 0 || at+1 >= len(words) {
			continue
		}
		switch target := words[at+1]; {
		case target == "DROP", target == "REJECT":
			found = append(found, strings.TrimPrefix(r, "-A "))
		case s.HasChain("filter", target) && !slices.Contains(seen, target):
			found = append(found, s.foreignDrops(target, seen)...)
		}
	}
	return found
}

// DropsUnpublished reports whether Docker drops what is not published, whatever the policy of
// FORWARD: from 28.0 on chain DOCKER ends with a drop for each bridge.
func (s Save) DropsUnpublished() bool {
	return slices.ContainsFunc(s.ChainRules("filter", "DOCKER"), func(r string) bool { return strings.HasSuffix(r, " -j DROP") })
}

// Keepers names the other programs that keep rules in iptables, as far as their chains tell.
func (s Save) Keepers() []string {
	var found []string
	if s.HasChain("filter", "FWD_public") || s.HasChain("filter", "FORWARD_direct") {
		found = append(found, "firewalld")
	}
	if s.HasChain("filter", "ufw-before-forward") {
		found = append(found, "ufw")
	}
	return found
}

// tablesOf makes the model of it.
func (s Save) tablesOf(backend, family string, sets map[string][]netip.Prefix) []*table {
	var all []*table
	for _, name := range s.tables {
		all = append(all, &table{backend: backend, family: family, name: name, chains: map[string]*chain{}})
	}
	for _, name := range s.order {
		tableName, chainName, _ := strings.Cut(name, "/")
		at := slices.IndexFunc(all, func(t *table) bool { return t.name == tableName })
		t := all[at]
		c := t.addChain(chainName)
		if policy, ok := s.policies[name]; ok {
			c.hook = hookNamed(strings.ToLower(chainName))
			c.drop = policy == "DROP"
			c.nat = tableName == "nat"
			c.priority = savePriority(tableName, c.hook)
		}
		for _, line := range s.chains[name] {
			c.appendRule(readOptions(line, sets), line)
		}
	}
	return all
}

// savePriority is that of iptables' tables (linux/netfilter_ipv4.h).
func savePriority(table string, h hook) int {
	switch table {
	case "raw":
		return -300
	case "mangle":
		return -150
	case "nat":
		return natPriority(h)
	case "security":
		return 50
	default:
		return 0
	}
}
