package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// removeRules takes our jumps and chains out of both variants, and what only came to be
// because of them.
func (h *Host) removeRules(ctx context.Context, done func(Kind, string)) error {
	for _, v := range []Variant{NFT, Legacy} {
		chains, err := chainsOf(v)
		if err != nil {
			return err
		}
		if !chains["raw/"+chainRaw] && !chains["filter/"+chainFwd] && h.mem.Variant != v {
			continue
		}
		fw, err := openFirewall(v)
		if err != nil {
			return err
		}
		if err := h.removeFrom(ctx, fw, done); err != nil {
			return err
		}
	}
	if h.mem.Chains == nil {
		return nil
	}
	return h.remember(func(m *memory) { m.Variant, m.Chains = "", nil })
}

func (h *Host) removeFrom(ctx context.Context, fw *firewall, done func(Kind, string)) error {
	for _, t := range []struct{ table, chain string }{{"raw", chainRaw}, {"filter", chainFwd}} {
		lines, err := fw.unhook(t.table, t.chain)
		if err != nil {
			return err
		}
		if t.table == "filter" && h.madeDockerUser(fw) {
			more, err := fw.dropDockerUser()
			if err != nil {
				return err
			}
			lines = append(lines, more...)
		}
		if err := fw.commit(ctx, t.table, lines); err != nil {
			return err
		}
		if len(lines) > 0 {
			done(KindChain, t.chain+" and its jumps removed")
		}
	}
	if fw.variant == Legacy || h.mem.Variant != NFT {
		return nil // legacy tables go with the kernel module only
	}
	return removeEmpty(*h.mem.Chains)
}

// unhook are the lines that delete every jump to a chain of ours, and the chain.
func (f *firewall) unhook(table, chain string) ([]string, error) {
	if !f.chains[table+"/"+chain] {
		return nil, nil
	}
	var lines []string
	for name := range f.chains {
		t, from, _ := strings.Cut(name, "/")
		if t != table || from == "" || from == chain {
			continue
		}
		rules, err := f.list(table, from)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			if strings.HasSuffix(r, " -j "+chain) {
				lines = append(lines, "-D"+strings.TrimPrefix(r, "-A"))
			}
		}
	}
	return append(lines, "-F "+chain, "-X "+chain), nil
}

// dropDockerUser are the lines that take away the DOCKER-USER we made, provided that
// nobody put a rule of theirs into it.
func (f *firewall) dropDockerUser() ([]string, error) {
	rules, err := f.list("filter", dockerUser)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(rules, func(r string) bool { return !strings.HasSuffix(r, " -j "+chainFwd) }) {
		return nil, nil
	}
	var lines []string
	forward, err := f.list("filter", "FORWARD")
	for _, r := range forward {
		if r == "-A FORWARD -j "+dockerUser {
			lines = append(lines, "-D FORWARD -j "+dockerUser)
		}
	}
	return append(lines, "-X "+dockerUser), err
}

// removeEmpty deletes the base chains and tables that came with our first rule: iptables
// makes them when they are missing and never takes them away. One that has a rule, a chain
// or a policy by now is somebody's.
func removeEmpty(before []string) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return fmt.Errorf("list nftables chains: %w", hint(err))
	}
	left := map[string]int{}
	for _, c := range chains {
		table := c.Table.Name
		if table != "raw" && table != "filter" {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return fmt.Errorf("list chain %s of table %s: %w", c.Name, table, hint(err))
		}
		open := c.Policy != nil && *c.Policy == nftables.ChainPolicyAccept
		if len(rules) == 0 && open && !slices.Contains(before, table+"/"+c.Name) {
			conn.DelChain(c)
			continue
		}
		left[table]++
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyIPv4)
	for _, t := range tables {
		if (t.Name == "raw" || t.Name == "filter") && left[t.Name] == 0 && !slices.Contains(before, t.Name) {
			conn.DelTable(t)
		}
	}
	return errors.Join(err, hint(conn.Flush()))
}
