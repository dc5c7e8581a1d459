package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	model "github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// listing is what nft printed at a count of the kernel's.
type listing struct {
	count uint32
	text  string
}

// Rules are all rules of the host, for package firewall to walk packets through: of both
// variants and families of iptables, of nftables where the command nft is there, and the
// sets they match.
func (h *Host) Rules(ctx context.Context) (model.Dump, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var d model.Dump
	for _, place := range []struct {
		text    *string
		family  host.Family
		variant host.Variant
	}{
		{&d.NFT, host.IPv4, host.NFT},
		{&d.NFT6, host.IPv6, host.NFT},
		{&d.Legacy, host.IPv4, host.Legacy},
		{&d.Legacy6, host.IPv6, host.Legacy},
	} {
		text, err := h.rules.Text(ctx, place.family, place.variant)
		if err != nil {
			return d, err
		}
		*place.text = text
	}
	var err error
	if d.Ruleset, err = h.listNFT(ctx); err != nil {
		return d, err
	}
	d.Sets, err = matchedSets(d.NFT, d.NFT6, d.Legacy, d.Legacy6)
	return d, err
}

// listNFT lists the tables of nftables. Where there are those of iptables only, which it
// prints itself, nft is not asked.
func (h *Host) listNFT(ctx context.Context) (string, error) {
	all, err := h.tables.look(nftTables)
	if err != nil {
		return "", err
	}
	tables := maps.Clone(all)
	iptables := []string{"raw", "mangle", "nat", "filter", "security"}
	for _, name := range iptables {
		delete(tables, name)
	}
	nft, err := exec.LookPath("nft")
	if err != nil || len(tables) == 0 {
		return "", nil
	}
	count, err := generation()
	if err != nil || h.listing.text != "" && h.listing.count == count {
		return h.listing.text, err
	}
	out, err := exec.CommandContext(ctx, nft, "list", "ruleset").Output()
	if err != nil {
		return "", fmt.Errorf("list the rules of nftables: %w", kernel.ExplainCommand(err))
	}
	h.listing = listing{count, string(out)}
	return h.listing.text, nil
}

// matchedSets lists the members of the ipsets that rules match, of those that hold addresses
// or subnets.
func matchedSets(rules ...string) (map[string][]netip.Prefix, error) {
	all := map[string][]netip.Prefix{}
	for _, text := range rules {
		for rest := text; ; {
			_, after, more := strings.Cut(rest, "--match-set ")
			if !more {
				break
			}
			name, _, _ := strings.Cut(after, " ")
			rest = after
			if _, known := all[name]; known {
				continue
			}
			members, err := setMembers(name)
			if err != nil {
				return nil, err
			}
			if members != nil {
				all[name] = members
			}
		}
	}
	return all, nil
}

// setMembers lists a set; nil if it is of another kind, or not there.
func setMembers(name string) ([]netip.Prefix, error) {
	set, err := netlink.IpsetList(name)
	if errors.Is(err, unix.ENOENT) || kernel.Lacks(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list set %s: %w", name, kernel.Explain(err))
	}
	if set.TypeName != "hash:net" && set.TypeName != "hash:ip" {
		return nil, nil
	}
	members := []netip.Prefix{}
	for _, e := range set.Entries {
		addr, ok := netip.AddrFromSlice(e.IP)
		addr = addr.Unmap()
		bits := int(e.CIDR)
		if bits == 0 {
			bits = addr.BitLen()
		}
		if ok {
			members = append(members, netip.PrefixFrom(addr, bits))
		}
	}
	slices.SortFunc(members, api.ComparePrefixes)
	return members, nil
}
