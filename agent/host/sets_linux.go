package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
)

// Our ipsets. The rules match them, so that hosts come and go without a rule being touched.
const (
	setLocal = "sealane-local" // this host's subnets
	setPeers = "sealane-peers" // the other hosts' subnets and private addresses
	setType  = "hash:net"
)

func applySets(w Wish, done func(Kind, string)) error {
	peers := slices.Clone(w.Remotes)
	for _, p := range w.Peers {
		peers = append(peers, netip.PrefixFrom(p, p.BitLen()))
	}
	return errors.Join(
		applySet(setLocal, w.Locals, w.Incomplete, done),
		applySet(setPeers, peers, w.Incomplete, done),
	)
}

// applySet gives a set these members: it adds before it deletes, and deletes nothing if an
// addition failed or the members are not all known.
func applySet(name string, want []netip.Prefix, incomplete bool, done func(Kind, string)) error {
	have, err := members(name)
	if errors.Is(err, unix.ENOENT) {
		if err := netlink.IpsetCreate(name, setType, netlink.IpsetCreateOptions{}); err != nil {
			return fmt.Errorf("make set %s: %w", name, hint(err))
		}
		done(KindSet, name+" made")
	} else if err != nil {
		return err
	}
	added := without(want, have)
	for _, p := range added {
		if err := netlink.IpsetAdd(name, entry(p)); err != nil && !errors.Is(err, nl.IPSetError(nl.IPSET_ERR_EXIST)) {
			return fmt.Errorf("add %s to set %s: %w", p, name, hint(err))
		}
	}
	deleted := without(have, want)
	if incomplete {
		deleted = nil
	}
	for _, p := range deleted {
		if err := netlink.IpsetDel(name, entry(p)); err != nil && !errors.Is(err, nl.IPSetError(nl.IPSET_ERR_EXIST)) {
			return fmt.Errorf("delete %s from set %s: %w", p, name, hint(err))
		}
	}
	if len(added)+len(deleted) > 0 {
		done(KindSet, fmt.Sprintf("%s: %d added, %d deleted", name, len(added), len(deleted)))
	}
	return nil
}

// without are those of a that are not in b.
func without(a, b []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return slices.Contains(b, p) })
}

// removeSets destroys our sets. One of another type is somebody else's, whatever its name.
func removeSets(done func(Kind, string)) error {
	for _, name := range []string{setLocal, setPeers} {
		// Asked first, since newer kernels do not say that there was nothing to destroy.
		set, err := netlink.IpsetList(name)
		if errors.Is(err, unix.ENOENT) || noSubsystem(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list set %s: %w", name, hint(err))
		}
		if set.TypeName != setType {
			continue
		}
		if err := netlink.IpsetDestroy(name); err != nil {
			return fmt.Errorf("destroy set %s: %w", name, hint(err))
		}
		done(KindSet, name+" destroyed")
	}
	return nil
}

// members lists a set, sorted. The error is ENOENT if there is no such set.
func members(name string) ([]netip.Prefix, error) {
	set, err := netlink.IpsetList(name)
	if err != nil {
		return nil, fmt.Errorf("list set %s: %w", name, hint(err))
	}
	if set.TypeName != setType {
		return nil, fmt.Errorf("set %s is of type %s, not %s, so it is not ours: %w", name, set.TypeName, setType, api.ErrRefused)
	}
	var prefixes []netip.Prefix
	for _, e := range set.Entries {
		addr, ok := netip.AddrFromSlice(e.IP.To4())
		if !ok {
			return nil, fmt.Errorf("set %s has a member that is not IPv4: %w", name, api.ErrRefused)
		}
		prefixes = append(prefixes, netip.PrefixFrom(addr, int(e.CIDR)))
	}
	slices.SortFunc(prefixes, api.ComparePrefixes)
	return prefixes, nil
}

func entry(p netip.Prefix) *netlink.IPSetEntry {
	return &netlink.IPSetEntry{IP: p.Addr().AsSlice(), CIDR: uint8(p.Bits())}
}
