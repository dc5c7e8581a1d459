package cloud

import (
	"fmt"

	"github.com/sealane/sealane/api"
)

// Validate refuses a change that no provider may send: an argument that is missing or
// widened would reach other people's routes. The error is ErrInvalid. Providers and the
// fake call it first for each change.
func Validate(c api.Change) error {
	r := c.Route
	switch {
	case r.Table == "":
		return fmt.Errorf("%s %s: no table: %w", c.Verb, r.Destination, api.ErrInvalid)
	case !r.Destination.IsValid() || r.Destination.Addr().Is4In6():
		return fmt.Errorf("%s in %s: destination %s is not a prefix: %w", c.Verb, r.Table, r.Destination, api.ErrInvalid)
	case r.Destination != r.Destination.Masked():
		return fmt.Errorf("%s %s: destination has host bits set: %w", c.Verb, r, api.ErrInvalid)
	case r.Destination.Bits() == 0:
		return fmt.Errorf("%s %s: the default route is never ours: %w", c.Verb, r, api.ErrInvalid)
	case r.NextHop == "":
		return fmt.Errorf("%s %s in %s: no next hop: %w", c.Verb, r.Destination, r.Table, api.ErrInvalid)
	case r.HopType != "" && r.HopType != api.HopInstance && r.HopType != api.HopInterface:
		return fmt.Errorf("%s %s: next hop type %s: only instances and their interfaces: %w", c.Verb, r, r.HopType, api.ErrInvalid)
	}
	return validateVerb(c)
}

// nameLimit is in characters (CreateRouteEntry page). The description, of 256, has room for
// whatever fits here.
const nameLimit = 128

func validateVerb(c api.Change) error {
	switch c.Verb {
	case api.Create, api.Replace, api.Delete:
	default:
		return fmt.Errorf("%q %s: no such verb: %w", c.Verb, c.Route, api.ErrInvalid)
	}
	switch {
	case c.Verb != api.Delete && (c.Route.Mark.Cluster == "" || c.Route.Mark.Host == ""):
		return fmt.Errorf("%s %s: no mark: %w", c.Verb, c.Route, api.ErrInvalid)
	case c.Verb != api.Delete && len(c.Route.Mark.Name()) > nameLimit:
		return fmt.Errorf("%s %s: its mark %s is longer than the %d characters of a name: %w", c.Verb, c.Route, c.Route.Mark.Name(), nameLimit, api.ErrInvalid)
	case c.Verb == api.Replace && c.Was == nil:
		return fmt.Errorf("%s %s: it does not say what it replaces: %w", c.Verb, c.Route, api.ErrInvalid)
	case c.Verb == api.Replace && c.Was.Key() != c.Route.Key():
		return fmt.Errorf("%s %s: it replaces another place, %s: %w", c.Verb, c.Route, c.Was, api.ErrInvalid)
	}
	return nil
}

// Done reports whether the route is what a change asked for, sealed with the present key.
func Done(e, want api.Route) bool { return Same(e, want) && !e.Stale }

// Still reports whether the route is what it was when the change was decided. Where the change
// knows its id it must be the very same route. One of ours may also be told by its mark, when
// the id is not known; a foreign one has nothing else that tells it from another in its place.
func Still(e, was api.Route) bool {
	return Same(e, was) && (e.ID == was.ID || was.ID == "" && !was.Mark.IsZero())
}

// Same reports whether two routes are the same to us: place, next hop and owner. State,
// route id and the mark's generation are left aside.
func Same(a, b api.Route) bool {
	return a.Key() == b.Key() && a.SameTarget(b) && a.Mark.Same(b.Mark)
}
