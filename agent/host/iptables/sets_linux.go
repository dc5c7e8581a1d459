package iptables

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

const (
	setType   = "hash:net"
	maxSummed = 1000 // members
)

// planSets gives the sets of a family their members.
func planSets(f host.Family, w host.Wish) ([]host.Step, error) {
	local, err := planSet(f, setLocal, f.Of(w.LocalPrefixes()), w.Incomplete)
	if err != nil {
		return nil, err
	}
	remote, err := planSet(f, setPeers, f.Of(w.PeerPrefixes()), w.Incomplete)
	return append(local, remote...), err
}

// planSet gives a set these members: it adds before it deletes, so that nothing is deleted
// if an addition failed, or if the members are not all known.
func planSet(f host.Family, name string, want []netip.Prefix, incomplete bool) ([]host.Step, error) {
	name = setName(f, name)
	have, err := setMembers(name)
	if kernel.Lacks(err) {
		return nil, fmt.Errorf("make set %s: the kernel has no ip_set: %w", name, api.ErrUnsupported)
	}
	var steps []host.Step
	if errors.Is(err, unix.ENOENT) {
		steps = append(steps, makeSet(f, name))
	} else if err != nil {
		return nil, err
	}
	added, deleted := host.PrefixesWithout(want, have), host.PrefixesWithout(have, want)
	if incomplete {
		deleted = nil
	}
	if len(added)+len(deleted) == 0 {
		return steps, nil
	}
	var commands []string
	for _, p := range added {
		commands = append(commands, fmt.Sprintf("ipset add %s %s -exist", name, p))
	}
	for _, p := range deleted {
		commands = append(commands, fmt.Sprintf("ipset del %s %s -exist", name, p))
	}
	what := fmt.Sprintf("%s: %d added, %d deleted", name, len(added), len(deleted))
	return append(steps, host.NewStep(host.KindSet, what, strings.Join(commands, "\n"), func(context.Context) error {
		return changeSet(name, added, deleted)
	})), nil
}

func makeSet(f host.Family, name string) host.Step {
	command := "ipset create " + name + " " + setType + host.ByFamily(f, "", " family inet6")
	options := netlink.IpsetCreateOptions{Family: host.ByFamily(f, uint8(unix.AF_UNSPEC), unix.AF_INET6)}
	return host.NewStep(host.KindSet, name+" made", command, func(context.Context) error {
		return kernel.Wrap("make set "+name, netlink.IpsetCreate(name, setType, options))
	})
}

func changeSet(name string, added, deleted []netip.Prefix) error {
	for _, p := range added {
		if err := netlink.IpsetAdd(name, setEntry(p)); err != nil && !errors.Is(err, nl.IPSetError(nl.IPSET_ERR_EXIST)) {
			return fmt.Errorf("add %s to set %s: %w", p, name, kernel.Explain(err))
		}
	}
	for _, p := range deleted {
		if err := netlink.IpsetDel(name, setEntry(p)); err != nil && !errors.Is(err, nl.IPSetError(nl.IPSET_ERR_EXIST)) {
			return fmt.Errorf("delete %s from set %s: %w", p, name, kernel.Explain(err))
		}
	}
	return nil
}

// ourSets are the names of the sets that our rules match.
func ourSets() []string {
	return []string{setName(host.IPv4, setLocal), setName(host.IPv4, setPeers), setName(host.IPv6, setLocal), setName(host.IPv6, setPeers)}
}

// undoSets destroys our sets.
func undoSets() ([]host.Step, error) {
	return host.CollectSteps(ourSets(), removeSet)
}

// removeSet destroys a set that is there. One of another type is somebody else's, whatever its
// name.
func removeSet(name string) ([]host.Step, error) {
	// Asked first, since newer kernels do not say that there was nothing to destroy.
	set, err := netlink.IpsetList(name)
	if errors.Is(err, unix.ENOENT) || kernel.Lacks(err) || err == nil && set.TypeName != setType {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list set %s: %w", name, kernel.Explain(err))
	}
	return []host.Step{host.NewStep(host.KindSet, name+" destroyed", "ipset destroy "+name, func(context.Context) error {
		return kernel.Wrap("destroy set "+name, netlink.IpsetDestroy(name))
	})}, nil
}

// setMembers lists a set, sorted. The error is ENOENT if there is no such set.
func setMembers(name string) ([]netip.Prefix, error) {
	set, err := netlink.IpsetList(name)
	if err != nil {
		return nil, kernel.Wrap("list set "+name, err)
	}
	if set.TypeName != setType {
		return nil, fmt.Errorf("set %s is of type %s, not %s, so it is not ours: %w", name, set.TypeName, setType, api.ErrRefused)
	}
	var prefixes []netip.Prefix
	for _, e := range set.Entries {
		addr, ok := netip.AddrFromSlice(e.IP)
		if !ok {
			return nil, fmt.Errorf("set %s has a member without an address: %w", name, api.ErrRefused)
		}
		prefixes = append(prefixes, netip.PrefixFrom(addr.Unmap(), int(e.CIDR)))
	}
	slices.SortFunc(prefixes, api.ComparePrefixes)
	return prefixes, nil
}

func setEntry(p netip.Prefix) *netlink.IPSetEntry {
	return &netlink.IPSetEntry{IP: p.Addr().AsSlice(), CIDR: uint8(p.Bits())}
}

// SumSets is a sum over our sets, to see that they changed. Those with more members than
// maxSummed are left out.
func SumSets(seed maphash.Seed) uint64 {
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, name := range ourSets() {
		set, err := netlink.IpsetList(name)
		if err != nil || len(set.Entries) > maxSummed {
			continue // there is none
		}
		_, _ = fmt.Fprintln(&sum, name, len(set.Entries))
		for _, e := range set.Entries {
			_, _ = sum.Write(append(slices.Clone(e.IP), e.CIDR))
		}
	}
	return sum.Sum64()
}
