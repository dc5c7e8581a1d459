package nft

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sealane/sealane/api"
)

// Ruleset is the JSON of all tables, for package firewall to read; empty without tables. It is
// one document or several. ErrUnsupported: there are tables, and no command that lists them.
func (c *Client) Ruleset(ctx context.Context) (string, error) {
	all, err := c.Tables()
	if err != nil || len(all) == 0 {
		return "", err
	}
	if c.ruleset == "" {
		if c.ruleset, err = c.listAll(ctx); err != nil {
			return "", fmt.Errorf("list the rules of nftables: %w", err)
		}
	}
	return c.ruleset, nil
}

// listAll has nft print everything. Before 1.0.9 it breaks off, or prints rubbish, at a table
// that has flags: then everything but the tables themselves is printed piece by piece.
func (c *Client) listAll(ctx context.Context) (string, error) {
	out, err := c.system.Command(ctx, "", "-j", "list", "ruleset")
	if err != nil || json.Valid(out) {
		return string(out), err
	}
	var all []byte
	for _, kind := range []string{"sets", "maps", "chains"} {
		if out, err = c.system.Command(ctx, "", "-j", "list", kind); err != nil {
			return "", err
		}
		all = append(all, out...)
	}
	chains, err := decodeListing(out)
	if err != nil {
		return "", err
	}
	for _, o := range chains {
		if o.Chain == nil {
			continue
		}
		out, err := c.system.Command(ctx, "", "-j", "list", "chain", o.Chain.Family, o.Chain.Table, o.Chain.Name)
		if err != nil {
			return "", err
		}
		all = append(all, out...)
	}
	return string(all), nil
}

// ListedChain is a chain of somebody's table.
type ListedChain struct {
	Name   string
	Policy string // empty but in a base chain
	Rules  int    // how many there are
}

// Chains are those of a table, in nft's order; none without the table.
func (c *Client) Chains(ctx context.Context, id ID) ([]ListedChain, error) {
	if there, err := c.Has(id); !there || err != nil {
		return nil, err
	}
	out, err := c.system.Command(ctx, "", "-j", "list", "table", id.Family, id.Name)
	if err != nil {
		return nil, fmt.Errorf("list table %s: %w", id, err)
	}
	objects, err := decodeListing(out)
	if err != nil {
		return nil, fmt.Errorf("list table %s: %w", id, err)
	}
	var all []ListedChain
	rules := map[string]int{}
	for _, o := range objects {
		if o.Rule != nil {
			rules[o.Rule.Chain]++
		}
	}
	for _, o := range objects {
		if o.Chain != nil {
			all = append(all, ListedChain{o.Chain.Name, o.Chain.Policy, rules[o.Chain.Name]})
		}
	}
	return all, nil
}

// listed is an object of nft's JSON: one of these, or of no matter here.
type listed struct {
	Chain *struct {
		Family, Table, Name, Type, Hook, Policy string
		Prio                                    json.RawMessage
	}
	Rule *struct{ Chain, Comment string }
	Set  *struct {
		Name string
		Elem []json.RawMessage
	}
}

// decodeListing reads the JSON that nft prints.
func decodeListing(text []byte) ([]listed, error) {
	var all struct{ NFTables []listed }
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read the JSON of nft: %w: %w", api.ErrInvalid, err)
	}
	return all.NFTables, nil
}
