package alisim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// deleteInstances releases machines, all or none: one that a route sends to is kept, and so
// is a running one without Force.
func deleteInstances(s *Sim, c *call) (reply, error) {
	ids := c.list("InstanceId")
	if id := c.get("InstanceId"); id != "" {
		ids = []string{id}
	}
	if len(ids) == 0 {
		return nil, missing("InstanceId")
	}
	for _, id := range ids {
		i := s.world.instance(id)
		switch {
		case i == nil:
			return nil, refuse("InvalidInstanceId.NotFound")
		case len(s.world.pointingAt(i)) > 0:
			return nil, refuse("DependencyViolation.RouteEntry")
		case i.Status != Stopped && !strings.EqualFold(c.get("Force"), "true"):
			return nil, refuse("IncorrectInstanceStatus")
		}
	}
	for _, id := range ids {
		s.world.drop(id)
	}
	s.wake()
	return &body{}, nil
}

// modifyInstanceMetadataOptions says whether the metadata service wants a token, and
// whether it answers at all.
func modifyInstanceMetadataOptions(s *Sim, c *call) (reply, error) {
	i := s.world.instance(c.get("InstanceId"))
	tokens, endpoint := c.get("HttpTokens"), c.get("HttpEndpoint")
	switch {
	case c.get("InstanceId") == "":
		return nil, missing("InstanceId")
	case i == nil:
		return nil, refuse("InvalidInstanceId.NotFound")
	case !slices.Contains([]string{"", "optional", "required"}, tokens):
		return nil, malformed("HttpTokens")
	case !slices.Contains([]string{"", "enabled", "disabled"}, endpoint):
		return nil, malformed("HttpEndpoint")
	}
	if tokens != "" {
		i.HTTPTokens = tokens
	}
	if endpoint != "" {
		i.HTTPEndpoint = endpoint
	}
	return &body{}, nil
}

// mustNotHold says why a vSwitch may not be made: it equals or contains the destination of
// a custom entry of the VPC, or overlaps another vSwitch.
func (v *vpc) mustNotHold(s VSwitch) error {
	for _, o := range v.vswitches {
		if o.CIDR.Overlaps(s.CIDR) {
			return fmt.Errorf("InvalidCidrBlock.Overlapped: %s overlaps %s of %s", s.CIDR, o.CIDR, o.ID)
		}
	}
	for _, t := range v.tables {
		for _, e := range t.entries {
			for _, p := range [...]netip.Prefix{s.CIDR, s.IPv6} {
				if !e.System && p.Contains(e.Destination.Addr()) && e.Destination.Bits() >= p.Bits() {
					return fmt.Errorf("InvalidCidrBlock.Overlapped: %s holds the destination %s of an entry in %s", p, e.Destination, t.ID)
				}
			}
		}
	}
	return nil
}
