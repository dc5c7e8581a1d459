package alisim

import (
	"net/netip"
	"strings"
)

// parseDestination reads a destination: a bare address is a /32. Bits set beyond the mask
// are undocumented, so they are refused.
func parseDestination(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, missing("DestinationCidrBlock")
	}
	if !strings.Contains(text, "/") {
		text += "/32"
		if strings.Contains(text, ":") {
			text = strings.TrimSuffix(text, "/32") + "/128"
		}
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, refuse("IllegalParam.CidrBlock")
	case p != p.Masked():
		return netip.Prefix{}, refuse("InvalidCidrBlock.Malformed")
	}
	return p, nil
}

// admits says whether a table may get an entry for this destination, leaving aside custom
// entries that are there. The single call allows a destination that contains a vSwitch, the
// batch call's page forbids it.
func (t *table) admits(destination netip.Prefix, batch bool) error {
	if !destination.Addr().Is4() {
		return t.admits6(destination)
	}
	if forbidden(destination) {
		return refuse("InvalidDestinationCidrBlock")
	}
	for _, e := range t.entries {
		if !e.System || !e.Destination.Overlaps(destination) {
			continue
		}
		inside := destination.Bits() > e.Destination.Bits()
		switch {
		case destination == e.Destination:
			return refuse("InvalidCIDRBlock.Duplicate")
		case inside && e.Destination == serviceRange():
			// Texts contradict one another on the inside of 100.64.0.0/10.
			return refuse("InvalidDestinationCidrBlock")
		case inside:
			return refuse("InvalidCidrBlock")
		case batch && e.Destination != serviceRange():
			return refuse("InvalidCidrBlock")
		}
	}
	return nil
}

// admits6 is admits for IPv6. That a destination must not overlap a vSwitch is told without
// saying how; the default route, which every VPC with an IPv6 gateway has, must be left out.
func (t *table) admits6(destination netip.Prefix) error {
	if !t.vpc.IPv6.IsValid() {
		return refuse("OperationFailed.NotSupportIPV6")
	}
	a := destination.Addr()
	if destination.Bits() > 0 && (a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified()) {
		return refuse("InvalidDestinationCidrBlock")
	}
	for _, e := range t.entries {
		if e.System && e.Destination.Overlaps(destination) && destination.Bits() > 0 {
			return refuse("OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch")
		}
	}
	return nil
}

// forbidden reports whether a destination lies in the black list. Only the error is
// documented, not the list: these are ranges no router forwards.
func forbidden(destination netip.Prefix) bool {
	for _, text := range [...]string{"127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"} {
		if p := netip.MustParsePrefix(text); p.Overlaps(destination) && destination.Bits() >= p.Bits() {
			return true
		}
	}
	return false
}
