package mark

import (
	"slices"

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
	bridges, err := kernel.Bridges()
	if err != nil {
		return nil, err
	}
	var closed []host.Local
	for _, b := range bridges {
		for _, p := range b.Prefixes() {
			if l := (host.Local{Prefix: p, Bridge: b.Name}); slices.Contains(d.Closed, bridgeOf(l)) {
				closed = append(closed, l)
			}
		}
	}
	slices.SortFunc(closed, func(a, b host.Local) int { return api.ComparePrefixes(a.Prefix, b.Prefix) })
	there := func(name string) bool {
		return slices.ContainsFunc(bridges, func(b host.Bridge) bool { return b.Name == name })
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
	return firewall.Bridge{Family: host.FamilyOf(l.Prefix).NFT(), Name: l.Bridge}
}
