package alisim

import (
	"net/netip"
	"slices"
	"strings"
)

// parseDestination reads a destination: a bare address is a /32. Bits set beyond the mask
// are undocumented: refused, or cut off.
func parseDestination(text string, hostBits Reading) (netip.Prefix, error) {
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
	case err != nil || p.Addr().Is4In6(): // an IPv4 network in the clothes of another
		return netip.Prefix{}, refuse("IllegalParam.CidrBlock")
	case p != p.Masked() && hostBits != Clamp:
		return netip.Prefix{}, refuse("InvalidCidrBlock.Malformed")
	}
	return p.Masked(), nil
}

// canonical writes a destination as entries have it; what is none stays as it is.
func canonical(text string) string {
	if p, err := parseDestination(text, Refuse); err == nil {
		return p.String()
	}
	return text
}

// admits says whether a table may get an entry for this destination, leaving aside custom
// entries that are there. The single call allows a destination that contains a vSwitch, the
// batch call's page forbids it: by default each does what its page says.
func (t *table) admits(destination netip.Prefix, batch bool, r Readings) error {
	if !destination.Addr().Is4() {
		return t.admits6(destination, r)
	}
	switch {
	case forbidden(destination):
		return refuse("InvalidDestinationCidrBlock")
	case r.PublicSpace == Refuse && !t.vpc.private(destination):
		return refuse("FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY")
	}
	containing := r.Containing == Refuse || r.Containing != Allow && batch
	for _, e := range t.entries {
		if !e.System && e.was == nil || !e.Destination.Overlaps(destination) {
			continue
		}
		inside := destination.Bits() > e.Destination.Bits()
		switch {
		case destination == e.Destination:
			return refuse("InvalidCIDRBlock.Duplicate")
		case inside && e.Destination == serviceRange():
			// Texts contradict one another on the inside of 100.64.0.0/10.
			if r.InService != Allow {
				return refuse("InvalidDestinationCidrBlock")
			}
		case inside:
			return refuse("InvalidCidrBlock")
		case containing && e.Destination != serviceRange():
			return refuse("InvalidCidrBlock")
		}
	}
	return nil
}

// admits6 is admits for IPv6. That a destination must not overlap a vSwitch is told without
// saying how; the default route, which every VPC with an IPv6 gateway has, must be left out.
func (t *table) admits6(destination netip.Prefix, r Readings) error {
	switch {
	case !t.vpc.IPv6.IsValid():
		return refuse("OperationFailed.NotSupportIPV6")
	case r.IPv6Custom == Refuse && !t.System:
		return refuse("OperationDenied.Ipv6EntryOnCustomTable")
	}
	a := destination.Addr()
	if destination.Bits() > 0 && (a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified()) {
		return refuse("InvalidDestinationCidrBlock")
	}
	for _, e := range t.entries {
		if (e.System || e.was != nil) && e.Destination.Overlaps(destination) && destination.Bits() > 0 {
			return refuse("OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch")
		}
	}
	return nil
}

// private reports whether a destination is in no need of the internet: private space, the
// VPC's own ranges, its user CIDRs, or the default route.
func (v *vpc) private(destination netip.Prefix) bool {
	if destination.Bits() == 0 || destination.Addr().IsPrivate() || serviceRange().Contains(destination.Addr()) {
		return true
	}
	own := slices.Concat([]netip.Prefix{v.CIDR}, v.Secondary, v.UserCIDRs)
	return slices.ContainsFunc(own, func(p netip.Prefix) bool {
		return p.Contains(destination.Addr()) && p.Bits() <= destination.Bits()
	})
}
