package nft

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"

	"github.com/sealane/sealane/api"
)

// State is what a table of ours is now.
type State struct {
	There bool
	Frame string                    // its base chains with the comments of their rules
	Sets  map[string][]netip.Prefix // members by set, sorted
}

// frameOf is a base chain in a frame, ahead of its rules.
func frameOf(name, kind, hook string, priority int) string {
	return fmt.Sprintf("%s %s %s %d accept", name, kind, hook, priority)
}

// Read is what a table of ours is now. It is read anew only if the kernel counted a change
// since it was read or written.
func (c *Client) Read(ctx context.Context, id ID) (State, error) {
	there, err := c.Has(id)
	if err != nil {
		return State{}, err
	}
	if s, known := c.tables[id]; known {
		return s, nil
	}
	var s State
	if there {
		out, err := c.system.Command(ctx, "", "-j", "list", "table", id.Family, id.Name)
		if err == nil {
			s, err = decodeTable(out)
		}
		if err != nil {
			return State{}, fmt.Errorf("read table %s: %w", id, err)
		}
	}
	c.tables[id] = s
	return s, nil
}

// Intact reports whether the chain and the rules of a table are as we write them, whatever
// the members of its sets.
func (t Table) Intact(have State) bool { return have.There && have.Frame == t.state().Frame }

// decodeTable reads what nft lists of one table.
func decodeTable(text []byte) (State, error) {
	all, err := decodeListing(text)
	if err != nil {
		return State{}, err
	}
	s := State{There: true, Sets: map[string][]netip.Prefix{}}
	var frame []string
	for _, o := range all {
		switch {
		case o.Chain != nil:
			frame = append(frame, fmt.Sprintf("%s %s %s %s %s", o.Chain.Name, o.Chain.Type, o.Chain.Hook, o.Chain.Prio, o.Chain.Policy))
		case o.Rule != nil:
			frame = append(frame, o.Rule.Comment)
		case o.Set != nil:
			members, all := decodeMembers(o.Set.Elem)
			if !all {
				frame = append(frame, "set "+o.Set.Name+" holds something else")
			}
			s.Sets[o.Set.Name] = members
		}
	}
	s.Frame = strings.Join(frame, "\n")
	return s, nil
}

// decodeMembers reads the members of a set, and whether all of them are ranges of addresses.
func decodeMembers(elements []json.RawMessage) (members []netip.Prefix, all bool) {
	all = true
	for _, e := range elements {
		prefixes := decodeMember(e)
		members, all = append(members, prefixes...), all && len(prefixes) > 0
	}
	slices.SortFunc(members, api.ComparePrefixes)
	return members, all
}

// decodeMember reads an address, a prefix or a range, also with a comment or the like.
func decodeMember(element json.RawMessage) []netip.Prefix {
	var addr netip.Addr
	if json.Unmarshal(element, &addr) == nil && addr.IsValid() {
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
	}
	var form struct {
		Prefix struct {
			Addr netip.Addr
			Len  int
		}
		Range []netip.Addr
		Elem  struct{ Val json.RawMessage }
	}
	err := json.Unmarshal(element, &form)
	switch {
	case err != nil:
		return nil
	case form.Elem.Val != nil:
		return decodeMember(form.Elem.Val)
	case len(form.Range) == 2:
		return netipx.IPRangeFrom(form.Range[0], form.Range[1]).Prefixes()
	case form.Prefix.Addr.IsValid():
		return []netip.Prefix{netip.PrefixFrom(form.Prefix.Addr, form.Prefix.Len)}
	default:
		return nil
	}
}
