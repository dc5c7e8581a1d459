package alicloud

import (
	"fmt"
	"net/netip"

	"github.com/sealane/sealane/api"
)

// holdBack has each delete wait for the creates and replaces before it whose destination
// covers its own: of a move that was cut off, the plan makes the entry and takes its halves
// away, and where the one fails the others are all that leads the traffic.
func holdBack(items []*item) {
	made := map[api.RouteKey][]*item{}
	for _, it := range items {
		key := it.key()
		switch {
		case !key.Destination.IsValid():
		case it.change.Verb != api.Delete:
			made[key] = append(made[key], it)
		default:
			for bits := key.Destination.Bits() - 1; bits > 0; bits-- {
				wider := netip.PrefixFrom(key.Destination.Addr(), bits).Masked()
				it.after = append(it.after, made[api.RouteKey{Table: key.Table, Destination: wider}]...)
			}
		}
	}
}

// held reports whether a delete has to wait for what covers it. Where that failed, or may
// have, the delete ends.
func (r *series) held(it *item) bool {
	for _, cover := range it.after {
		switch {
		case r.away[cover.key()]: // read back, and not ours to look at
			return true
		case !cover.decided:
			return true
		case cover.err != nil:
			it.end(fmt.Errorf("it is left, since what is to replace it, %s, is not known to be there: %w", cover.change.Route, api.ErrBusy))
			return false
		}
	}
	return false
}
