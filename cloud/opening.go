package cloud

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/api"
)

// Opening is a range through which security groups may let TCP on ports at large. Of what lies
// in no opening, single ports pass at best, or other protocols.
type Opening struct {
	Peers []netip.Prefix // where packets come from, or go to
	Group api.GroupID    // not empty: of them, only the interfaces in this group
}

// Opens reports whether one of the openings is about some address of a range. groups are
// those of the interface that has the address; a container's address belongs to none. The
// controller asks it of what an interface may admit and emit.
func Opens(openings []Opening, peer netip.Prefix, groups []api.GroupID) bool {
	return slices.ContainsFunc(openings, func(o Opening) bool {
		return slices.ContainsFunc(o.Peers, peer.Overlaps) && (o.Group == "" || slices.Contains(groups, o.Group))
	})
}

const (
	everyPort = 65535
	atLarge   = everyPort / 4
)

// AtLarge reports whether a rule that accepts these ports, "FIRST/LAST", of a protocol may open
// to containers at large: it is about TCP, among others, and a quarter of the ports at least.
// Rules for 22, 443 and the like leave almost all connections to die.
func AtLarge(protocol, ports string) bool { return countPorts(protocol, ports) >= atLarge }

// AllPorts reports whether a rule that drops these ports of a protocol leaves no connection.
func AllPorts(protocol, ports string) bool { return countPorts(protocol, ports) == everyPort }

// countPorts counts the TCP ports that a rule is about. No ports, and -1/-1, are all.
func countPorts(protocol, ports string) int {
	if protocol != "" && !strings.EqualFold(protocol, "all") && !strings.EqualFold(protocol, "tcp") {
		return 0
	}
	if ports == "" || ports == "-1/-1" {
		return everyPort
	}
	first, last, _ := strings.Cut(ports, "/")
	from, err := strconv.Atoi(first)
	to, errTo := strconv.Atoi(last)
	if err != nil || errTo != nil || from > to {
		return 0
	}
	return min(everyPort, to-max(from, 1)+1)
}
