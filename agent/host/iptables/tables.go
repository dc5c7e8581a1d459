package iptables

import (
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// tables is what iptables-save prints of one variant and family, taken apart.
type tables struct {
	family   host.Family
	variant  host.Variant
	path     string              // of the command that writes it
	chains   map[string][]string // rules as printed, by "raw/PREROUTING"; a chain that is there has an entry
	policies map[string]string   // of the chains that have one
	names    []string            // of the tables that are there
	text     string              // as printed
}

// parseTables takes apart what iptables-save printed.
func parseTables(f host.Family, v host.Variant, path, text string) *tables {
	all := &tables{family: f, variant: v, path: path, chains: map[string][]string{}, policies: map[string]string{}, text: text}
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch words := strings.Fields(line); {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
			all.names = append(all.names, table)
		case strings.HasPrefix(line, ":") && len(words) > 1:
			name := table + "/" + words[0][1:]
			all.chains[name] = nil
			if words[1] != "-" {
				all.policies[name] = words[1]
			}
		case len(words) > 1 && words[0] == "-A":
			name := table + "/" + words[1]
			all.chains[name] = append(all.chains[name], line)
		}
	}
	return all
}

// of are the rules of a chain; none if there is no such chain, or nothing was read.
func (t *tables) of(table, chain string) []string {
	if t == nil {
		return nil
	}
	return t.chains[table+"/"+chain]
}

func (t *tables) has(table, chain string) bool {
	_, ok := t.chains[table+"/"+chain]
	return ok
}

// drops are the rules, not ours, that drop in a chain of table filter, or in one that it
// leads to.
func (t *tables) drops(chain string, seen map[string]bool) []string {
	var found []string
	seen[chain] = true
	for _, r := range t.of("filter", chain) {
		words := strings.Fields(r)
		at := slices.IndexFunc(words, func(w string) bool { return w == "-j" || w == "-g" })
		if at < 0 || at+1 >= len(words) {
			continue
		}
		switch target := words[at+1]; {
		case target == "DROP", target == "REJECT":
			found = append(found, strings.TrimPrefix(r, "-A "))
		case target != ChainFwd && t.has("filter", target) && !seen[target]:
			found = append(found, t.drops(target, seen)...)
		}
	}
	return found
}
