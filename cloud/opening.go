package cloud

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
)

// Opening is a range through which security groups may let something: on some protocol and
// port at least. What lies in no opening surely does not pass.
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
