package firewall

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/api"
)

// block is a piece of the nft listing: a table, a chain, a set, with its lines and blocks.
type block struct {
	head   []string
	lines  []string
	blocks []*block
}

// parseListing reads what nft list ruleset prints.
func parseListing(text string) ([]*table, error) {
	top, err := blocks(text)
	if err != nil {
		return nil, err
	}
	var all []*table
	for _, b := range top.blocks {
		if len(b.head) != 3 || b.head[0] != "table" {
			return nil, fmt.Errorf("%q is no table: %w", strings.Join(b.head, " "), api.ErrInvalid)
		}
		if f := b.head[1]; (f == "ip" || f == "ip6" || f == "inet") && !slices.Contains(b.lines, "flags dormant") {
			all = append(all, listed(b))
		}
	}
	return all, nil
}

// blocks reads the nesting. A line of a rule or of elements goes on until its braces close.
func blocks(text string) (*block, error) {
	stack := []*block{{}}
	pending := ""
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " # handle ") // of nft -a
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# xt_") {
			continue
		}
		top := stack[len(stack)-1]
		if pending != "" {
			line = pending + " " + line
		}
		pending = ""
		switch {
		case line == "}" && len(stack) > 1:
			stack = stack[:len(stack)-1]
		case opens(line):
			b := &block{head: split(strings.TrimSuffix(line, "{"), "")}
			top.blocks = append(top.blocks, b)
			stack = append(stack, b)
		case braces(line) > 0:
			pending = line
		case braces(line) < 0 || len(stack) == 1:
			return nil, fmt.Errorf("line %q is out of place: %w", line, api.ErrInvalid)
		default:
			top.lines = append(top.lines, line)
		}
	}
	if len(stack) > 1 || pending != "" {
		return nil, fmt.Errorf("it ends in the middle: %w", api.ErrInvalid)
	}
	return stack[0], nil
}

// opens says whether a line begins a block, not a list of elements that goes on below.
func opens(line string) bool {
	if !strings.HasSuffix(line, "{") {
		return false
	}
	switch strings.Fields(line)[0] {
	case "table", "chain", "set", "map", "flowtable", "counter", "quota", "limit", "ct", "secmark", "synproxy":
		return true
	default:
		return false
	}
}

// braces is how many more open than close in a line, outside quotes.
func braces(line string) int {
	depth, inQuotes := 0, false
	for _, c := range line {
		switch {
		case c == '"':
			inQuotes = !inQuotes
		case inQuotes:
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
	}
	return depth
}

// listed makes a table of its block: first the sets, which its rules name.
func listed(b *block) *table {
	t := &table{backend: "nftables", family: b.head[1], name: b.head[2], chains: map[string]*chain{}}
	sets := map[string][]element{}
	for _, s := range b.blocks {
		if len(s.head) == 2 && (s.head[0] == "set" || s.head[0] == "map") {
			sets[s.head[1]] = s.elements()
		}
	}
	for _, s := range b.blocks {
		if len(s.head) != 2 || s.head[0] != "chain" {
			continue
		}
		c := t.add(s.head[1])
		for _, line := range s.lines {
			if strings.HasPrefix(line, "type ") {
				c.base(split(line, ";"))
			} else if !strings.HasPrefix(line, "policy ") && !strings.HasPrefix(line, "comment ") {
				c.append(statement(line, sets), line)
			}
		}
	}
	return t
}

// base reads: type filter hook forward priority filter - 10; policy drop;.
func (c *chain) base(line []string) {
	w := &words{all: line}
	for w.more() {
		switch w.next() {
		case "type":
			c.nat = w.next() == "nat"
		case "hook":
			c.hook = hookNamed(w.next())
		case "priority":
			c.priority = priority(w.until(func(s string) bool { return s == ";" }))
		case "policy":
			c.drop = w.next() == "drop"
		}
	}
}

// priority reads a number, a name, or a name and a distance from it.
func priority(p []string) int {
	sum, sign := 0, 1
	for _, s := range p {
		switch s {
		case "raw":
			sum = -300
		case "mangle":
			sum = -150
		case "dstnat":
			sum = -100
		case "security":
			sum = 50
		case "srcnat":
			sum = 100
		case "-":
			sign = -1
		default: // filter is 0
			n, _ := strconv.Atoi(s)
			sum += sign * n
		}
	}
	return sum
}

// element is one of a set, or of a map with the decision that it leads to.
type element struct {
	key   []string
	value []string
}

func (b *block) elements() []element {
	var all []element
	for _, line := range b.lines {
		w := &words{all: split(line, "{},")}
		if w.take("elements", "=", "{") {
			all = append(all, elements(w)...)
		}
	}
	return all
}

// elements reads up to the closing brace.
func elements(w *words) []element {
	var all []element
	for w.more() && !w.take("}") {
		e := element{key: w.until(func(s string) bool { return s == ":" || s == "," || s == "}" })}
		if w.take(":") {
			e.value = w.until(func(s string) bool { return s == "," || s == "}" })
		}
		w.take(",")
		all = append(all, e)
	}
	return all
}
