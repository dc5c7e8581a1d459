package registry

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealane/sealane/api"
)

// Areas of the registry. Those that end in a slash hold many records, the others are one.
const (
	areaConfig  = "config"
	areaPass    = "pass"
	areaHosts   = "hosts/"
	areaAlive   = "alive/"
	areaSeen    = "seen/"
	areaSubnets = "subnets/"
	areaRoutes  = "routes/"
	areaChanges = "changes/"
	areaLeader  = "leader/"
)

// rootKey is the prefix of everything that belongs to a cluster. The number is the version of
// the layout of keys; each record carries the version of its content.
func rootKey(cluster string) string { return "/sealane/" + url.PathEscape(cluster) + "/v1/" }

// LeaderPrefix is where the controllers of a cluster elect their leader.
func LeaderPrefix(cluster string) string { return rootKey(cluster) + areaLeader }

// prefixKey writes a prefix as one path element that people can read: 10.0.0.0_24. IPv6 is
// written in full, fd00:0000:...:0000_64, so that the keys inside a prefix begin alike.
func prefixKey(p netip.Prefix) string {
	return p.Addr().StringExpanded() + "_" + strconv.Itoa(p.Bits())
}

// parsePrefixKey reads it back, and accepts the one spelling that prefixKey writes.
func parsePrefixKey(key string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(strings.Replace(key, "_", "/", 1))
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("key names no prefix: %w", err)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("key: %s has host bits set", p)
	case prefixKey(p) != key:
		return netip.Prefix{}, fmt.Errorf("key is not written as %s", prefixKey(p))
	}
	return p, nil
}

// checkInstance refuses ids that could leave their place in the tree of keys.
func checkInstance(id api.InstanceID) error {
	name := string(id)
	if name == "" || len(name) > 128 || name == "." || name == ".." || strings.ContainsFunc(name, outsideID) {
		return fmt.Errorf("instance id %q: want 1 to 128 letters, digits, dots, dashes: %w", name, api.ErrInvalid)
	}
	return nil
}

func outsideID(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		return false
	default:
		return true
	}
}
