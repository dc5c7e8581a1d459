package nft

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Table is a table of ours: sets of address ranges, and a base chain whose rules match them.
type Table struct {
	Family host.Family
	Name   string
	Chain  Chain
	Sets   []Set
}

// Chain is a base chain that accepts by policy.
type Chain struct {
	Name, Type, Hook string
	Priority         int
	Rules            []string // as text of nft, without a comment
}

// Set is a set of address ranges of the table's family.
type Set struct {
	Name    string
	Members []netip.Prefix
}

// ID names the table.
func (t Table) ID() ID { return ID{t.Family.NFT(), t.Name} }

// Text is the transaction that puts the table there as a whole, and takes what had its name.
// Each rule bears a comment with a sum over its text: by that it is known again whatever
// release of nft prints it, and in whatever words.
func (t Table) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %[1]s {}\ndelete table %[1]s\ntable %[1]s {\n", t.ID())
	for _, s := range t.Sets {
		fmt.Fprintf(&b, "\tset %s { type %s; flags interval; ", s.Name, host.ByFamily(t.Family, "ipv4_addr", "ipv6_addr"))
		if members := disjoint(s.Members); len(members) > 0 {
			fmt.Fprintf(&b, "elements = %s; ", elementsText(members))
		}
		b.WriteString("}\n")
	}
	c := t.Chain
	fmt.Fprintf(&b, "\tchain %s {\n\t\ttype %s hook %s priority %d; policy accept;\n", c.Name, c.Type, c.Hook, c.Priority)
	for _, r := range c.Rules {
		fmt.Fprintf(&b, "\t\t%s comment %q\n", r, ruleComment(r))
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// ruleComment is what a rule of ours bears.
func ruleComment(rule string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(rule))
	return fmt.Sprintf("sealane %08x", sum.Sum32())
}

func elementsText(members []netip.Prefix) string {
	texts := make([]string, len(members))
	for i, p := range members {
		texts[i] = p.String()
	}
	return "{ " + strings.Join(texts, ", ") + " }"
}

// disjoint are the prefixes, sorted and masked, without those that lie in another: what an
// interval set takes. Those that only touch stay apart, so that each can go by itself.
func disjoint(prefixes []netip.Prefix) []netip.Prefix {
	sorted := make([]netip.Prefix, len(prefixes))
	for i, p := range prefixes {
		sorted[i] = p.Masked()
	}
	slices.SortFunc(sorted, api.ComparePrefixes)
	var all []netip.Prefix
	for _, p := range sorted {
		if n := len(all); n == 0 || !all[n-1].Overlaps(p) {
			all = append(all, p)
		}
	}
	return all
}

// state is what the table is read as once it was written.
func (t Table) state() State {
	s := State{There: true, Sets: map[string][]netip.Prefix{}}
	c := t.Chain
	s.Frame = frameOf(c.Name, c.Type, c.Hook, c.Priority)
	for _, r := range c.Rules {
		s.Frame += "\n" + ruleComment(r)
	}
	for _, set := range t.Sets {
		s.Sets[set.Name] = disjoint(set.Members)
	}
	return s
}

// Change is the transaction that makes the table of what is there: empty if it is as it
// should be, the members of sets if only they differ, and else the table as a whole.
func (t Table) Change(have State) string {
	want := t.state()
	if !have.There || have.Frame != want.Frame || len(have.Sets) != len(want.Sets) {
		return t.Text()
	}
	var b strings.Builder
	for _, set := range t.Sets {
		members, known := have.Sets[set.Name]
		if !known {
			return t.Text()
		}
		if deleted := host.PrefixesWithout(members, want.Sets[set.Name]); len(deleted) > 0 {
			fmt.Fprintf(&b, "delete element %s %s %s\n", t.ID(), set.Name, elementsText(deleted))
		}
		if added := host.PrefixesWithout(want.Sets[set.Name], members); len(added) > 0 {
			fmt.Fprintf(&b, "add element %s %s %s\n", t.ID(), set.Name, elementsText(added))
		}
	}
	return b.String()
}

// Write is the step that makes the table of what is there; none if it is as it should be.
func (c *Client) Write(kind host.Kind, what string, t Table, have State) []host.Step {
	text := t.Change(have)
	if text == "" {
		return nil
	}
	return []host.Step{host.NewStep(kind, what, Typed(text), func(ctx context.Context) error {
		err := c.commit(ctx, t.ID(), text, t.state())
		if err != nil && text != t.Text() && ctx.Err() == nil {
			// The members are others than we know, or the kernel minds their order.
			err = c.commit(ctx, t.ID(), t.Text(), t.state())
		}
		if err != nil {
			return fmt.Errorf("write table %s: %w", t.ID(), err)
		}
		return nil
	})}
}

// Typed is a transaction as a command that one could type.
func Typed(text string) string { return "nft -f - <<'END'\n" + text + "END" }

// Remove is the step that deletes a table; none if it is not there.
func (c *Client) Remove(kind host.Kind, what string, id ID) ([]host.Step, error) {
	if there, err := c.Has(id); !there || err != nil {
		return nil, err
	}
	return []host.Step{host.NewStep(kind, what, "nft delete table "+id.String(), func(ctx context.Context) error {
		if err := c.commit(ctx, id, "delete table "+id.String()+"\n", State{}); err != nil {
			return fmt.Errorf("remove table %s: %w", id, err)
		}
		return nil
	})}, nil
}

// commit makes a transaction of a table of ours. If it is the only one that the kernel counts
// since, what was read of our tables holds on.
func (c *Client) commit(ctx context.Context, id ID, text string, state State) error {
	before, err := c.system.Generation()
	if err != nil {
		return err
	}
	if err := c.Run(ctx, text); err != nil {
		return err
	}
	after, err := c.system.Generation()
	if err != nil || after != before+1 {
		return err
	}
	if before != c.count {
		clear(c.tables)
	}
	c.count, c.names, c.ruleset = after, nil, ""
	c.tables[id] = state
	return nil
}
