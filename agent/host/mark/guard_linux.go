package mark

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// guards are the bridges to guard, with their prefixes: those that Docker would guard itself,
// were it not told to allow direct routing, which is for all of its networks; and of those
// guarded before what Docker says nothing of, or all if they are to be kept. They stay in the
// order in which they came.
func (p *Part) guards(d firewall.DockerTable, keep bool) ([]host.Local, error) {
	bridges, err := addressed()
	if err != nil {
		return nil, err
	}
	var closed []host.Local
	for _, b := range bridges {
		if slices.Contains(d.Closed, bridgeOf(b)) {
			closed = append(closed, b)
		}
	}
	there := func(bridge string) bool {
		_, err := netlink.LinkByName(bridge)
		return err == nil
	}
	all := slices.DeleteFunc(slices.Clone(p.record.Value().Guards), func(g host.Local) bool {
		untold := there(g.Bridge) && !slices.Contains(d.Told, bridgeOf(g))
		return !slices.Contains(closed, g) && !keep && !untold
	})
	for _, g := range closed {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all, nil
}

// bridgeOf is a bridge as Docker's table has it, in the family of the prefix.
func bridgeOf(l host.Local) firewall.Bridge {
	f := host.IPv4
	if l.Prefix.Addr().Is6() {
		f = host.IPv6
	}
	return firewall.Bridge{Family: f.NFT(), Name: l.Bridge}
}

// addressed are the prefixes of all bridges, in order, each once.
func addressed() ([]host.Local, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", kernel.Explain(err))
	}
	var all []host.Local
	for _, link := range links {
		if link.Type() != "bridge" {
			continue
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", link.Attrs().Name, kernel.Explain(err))
		}
		for _, a := range addrs {
			l := host.Local{Prefix: kernel.PrefixOf(a).Masked(), Bridge: link.Attrs().Name}
			if !a.IP.IsLinkLocalUnicast() && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	slices.SortFunc(all, func(a, b host.Local) int { return api.ComparePrefixes(a.Prefix, b.Prefix) })
	return all, nil
}
