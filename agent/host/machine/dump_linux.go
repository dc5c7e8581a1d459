package machine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/api"
)

// listing is what nft printed at a count of the kernel's.
type listing struct {
	count uint32
	text  string
}

// Rules are all rules of the host, for package firewall to read: of both variants and families
// of iptables, of nftables, and the sets they match. What could not be read is among them.
func (h *Host) Rules(ctx context.Context) (firewall.Dump, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var d firewall.Dump
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
		source := fmt.Sprintf("iptables-%s of family %s", place.variant, place.family.NFT())
		text, err := h.rules.Text(ctx, place.family, place.variant)
		switch {
		case err != nil:
			d.Unread = append(d.Unread, firewall.Unread{Source: source, Reason: err.Error()})
		case text == "" && place.variant == host.Legacy && hasLegacyTables(place.family):
			d.Unread = append(d.Unread, firewall.Unread{Source: source, Reason: "the kernel has such tables, and the command is not installed"})
		default:
			*place.text = text
		}
	}
	if err := h.addNFT(ctx, &d); err != nil {
		d.Unread = append(d.Unread, firewall.Unread{Source: "nftables", Reason: err.Error()})
	}
	var err error
	d.Sets, err = matchedSets(d.NFT, d.NFT6, d.Legacy, d.Legacy6)
	if err != nil {
		d.Unread = append(d.Unread, firewall.Unread{Source: "ipset", Reason: err.Error()})
	}
	return d, nil
}

func legacyNames(f host.Family) string {
	if f == host.IPv6 {
		return "/proc/thread-self/net/ip6_tables_names"
	}
	return "/proc/thread-self/net/ip_tables_names"
}

func hasLegacyTables(f host.Family) bool {
	names, err := os.ReadFile(legacyNames(f))
	return err == nil && len(names) > 0
}

// addNFT lists the tables of nftables. Where there are those of iptables only, and it prints
// all that is in them, nft is not asked.
func (h *Host) addNFT(ctx context.Context, d *firewall.Dump) error {
	all, err := h.nft.Tables()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(id nft.ID) bool { return !printedBySave(id, d) })
	if at < 0 {
		return nil
	}
	if err := h.system.Installed(); err != nil {
		return fmt.Errorf("%w, and there is table %s", err, all[at])
	}
	if d.Dormant, err = dormantTables(); err != nil {
		return err
	}
	count, _, err := h.nft.Generation()
	if err != nil {
		return err
	}
	if h.listing.text == "" || h.listing.count != count {
		text, err := h.listNFT(ctx)
		if err != nil {
			return err
		}
		h.listing = listing{count, text}
	}
	d.Ruleset = h.listing.text
	return nil
}

// printedBySave reports whether iptables-save printed all that is in a table.
func printedBySave(id nft.ID, d *firewall.Dump) bool {
	text, known := map[string]string{"ip": d.NFT, "ip6": d.NFT6}[id.Family]
	return known && strings.Contains(text, "*"+id.Name+"\n") && !strings.Contains(text, "incompatible")
}

// listNFT has nft print everything. Before 1.0.9 it breaks off, or prints rubbish, at a table
// that has flags: then everything but the tables themselves is printed piece by piece.
func (h *Host) listNFT(ctx context.Context) (string, error) {
	out, err := h.system.Command(ctx, "", "-j", "list", "ruleset")
	if err != nil || json.Valid(out) {
		return string(out), err
	}
	var all []byte
	for _, kind := range []string{"sets", "maps", "chains"} {
		if out, err = h.system.Command(ctx, "", "-j", "list", kind); err != nil {
			return "", err
		}
		all = append(all, out...)
	}
	var chains struct {
		Nftables []struct {
			Chain *struct{ Family, Table, Name string }
		}
	}
	if err := json.Unmarshal(out, &chains); err != nil {
		return "", fmt.Errorf("read the chains of nftables: %w", err)
	}
	for _, o := range chains.Nftables {
		if o.Chain == nil {
			continue
		}
		out, err := h.system.Command(ctx, "", "-j", "list", "chain", o.Chain.Family, o.Chain.Table, o.Chain.Name)
		if err != nil {
			return "", err
		}
		all = append(all, out...)
	}
	return string(all), nil
}

// dormantTables are the tables of nftables that are asleep, as "inet NAME". The command nft
// does not tell before 1.0.9.
func dormantTables() ([]string, error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETTABLE, unix.NLM_F_DUMP)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	messages, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", kernel.Explain(err))
	}
	families := map[byte]string{unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet"}
	var all []string
	for _, m := range messages {
		name, named := attribute(m, unix.NFTA_TABLE_NAME)
		flags, flagged := attribute(m, unix.NFTA_TABLE_FLAGS)
		if named && flagged && len(flags) == 4 && binary.BigEndian.Uint32(flags)&unix.NFT_TABLE_F_DORMANT != 0 {
			all = append(all, families[m[0]]+" "+unix.ByteSliceToString(name))
		}
	}
	return all, nil
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
