package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/mark"
	"github.com/sealane/sealane/agent/host/nft"
	"github.com/sealane/sealane/api"
)

// Rules are all rules of the host, for package firewall to read: of both variants and families
// of iptables, of nftables, and the sets they match. What could not be read is among them.
func (h *Host) Rules(ctx context.Context) (firewall.Dump, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dump(ctx), nil
}

func (h *Host) dump(ctx context.Context) firewall.Dump {
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
		text, err := h.rules.Printed(ctx, place.family, place.variant)
		if err != nil {
			d.Unread = append(d.Unread, firewall.Unread{Source: source, Reason: err.Error()})
		}
		*place.text = text
	}
	if err := h.addNFT(ctx, &d); err != nil {
		d.Unread = append(d.Unread, firewall.Unread{Source: "nftables", Reason: err.Error()})
	}
	var err error
	d.Sets, err = matchedSets(d.NFT, d.NFT6, d.Legacy, d.Legacy6)
	if err != nil {
		d.Unread = append(d.Unread, firewall.Unread{Source: "ipset", Reason: err.Error()})
	}
	return d
}

// addNFT lists the tables of nftables. Where there are those of iptables only, and it prints
// all that is in them, nft is not asked.
func (h *Host) addNFT(ctx context.Context, d *firewall.Dump) error {
	all, err := h.nft.Tables()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(t nft.Found) bool { return !printedBySave(t.ID, d) })
	if at < 0 {
		return nil
	}
	for _, t := range all {
		if t.Dormant { // nft does not tell before 1.0.9
			d.Dormant = append(d.Dormant, t.String())
		}
	}
	if d.Ruleset, err = h.nft.Ruleset(ctx); errors.Is(err, api.ErrUnsupported) {
		return fmt.Errorf("there is table %s: %w", all[at], err)
	}
	return err
}

// printedBySave reports whether iptables-save printed all that is in a table.
func printedBySave(id nft.ID, d *firewall.Dump) bool {
	text, known := map[string]string{"ip": d.NFT, "ip6": d.NFT6}[id.Family]
	return known && strings.Contains(text, "*"+id.Name+"\n") && !strings.Contains(text, "incompatible")
}

// matchedSets lists the members of the ipsets that rules match, of those that hold addresses
// or subnets.
func matchedSets(rules ...string) (map[string][]netip.Prefix, error) {
	all := map[string][]netip.Prefix{}
	option := regexp.MustCompile(`--match-set (\S+) `)
	for _, found := range option.FindAllStringSubmatch(strings.Join(rules, "\n"), -1) {
		name := found[1]
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
	return all, nil
}

// freeMark is a bit of a packet's mark that is not among those used; zero if all are. The
// low half is left to others as long as possible, as most give their marks small numbers.
func freeMark(used uint32) uint32 {
	for bit := range 32 {
		mark := uint32(1) << ((bit + 16) % 32)
		if used&mark == 0 {
			return mark
		}
	}
	return 0
}

// usedMarks are the bits of a packet's mark that rules of this host look at or set, in
// nftables, in either variant of iptables and in policy routing. All of them must be read.
func (h *Host) usedMarks(ctx context.Context) (uint32, error) {
	dump := h.dump(ctx)
	if len(dump.Unread) > 0 {
		return 0, fmt.Errorf("find the marks in use: %s: %w", dump.Unread[0], api.ErrUnsupported)
	}
	all, err := firewall.Parse(dump)
	if err != nil {
		return 0, fmt.Errorf("find the marks in use: %w", err)
	}
	used := all.UsedMarks(mark.TableName)
	rules, err := netlink.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return 0, fmt.Errorf("list routing rules: %w", kernel.Explain(err))
	}
	for _, r := range rules {
		mask := ^uint32(0)
		if r.Mask != nil {
			mask = *r.Mask
		}
		used |= firewall.MarkBits(r.Mark, mask)
	}
	return used, nil
}
