package world

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// ParseDestination reads a destination: a bare address is a /32. Bits set beyond the mask
// are undocumented: refused, or cut off.
func ParseDestination(text string, hostBits Reading) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, MissingParameter("DestinationCidrBlock")
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
		return netip.Prefix{}, NewRefusal("IllegalParam.CidrBlock")
	case p != p.Masked() && hostBits != Clamp:
		return netip.Prefix{}, NewRefusal("InvalidCidrBlock.Malformed")
	}
	return p.Masked(), nil
}

// CanonicalDestination writes a destination as entries have it; what is none stays as it is.
func CanonicalDestination(text string) string {
	if p, err := ParseDestination(text, Refuse); err == nil {
		return p.String()
	}
	return text
}

// admitDestination says whether a table may get an entry for this destination, leaving aside custom
// entries that are there. The single call allows a destination that contains a vSwitch, the
// batch call's page forbids it: by default each does what its page says.
func (t *Table) admitDestination(destination netip.Prefix, batch bool, r Readings) error {
	if !destination.Addr().Is4() {
		return t.admitDestination6(destination, r)
	}
	switch {
	case seed.IsForbidden(destination):
		return NewRefusal("InvalidDestinationCidrBlock")
	case r.PublicSpace == Refuse && !t.VPC.needsNoInternet(destination):
		return NewRefusal("FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY")
	}
	containing := r.Containing == Refuse || r.Containing != Allow && batch
	for _, e := range t.Entries {
		if !e.System && e.was == nil || !e.Destination.Overlaps(destination) {
			continue
		}
		inside := destination.Bits() > e.Destination.Bits()
		switch {
		case destination == e.Destination:
			return NewRefusal("InvalidCIDRBlock.Duplicate")
		case inside && e.Destination == seed.ServiceRange():
			// Texts contradict one another on the inside of 100.64.0.0/10.
			if r.InService != Allow {
				return NewRefusal("InvalidDestinationCidrBlock")
			}
		case inside:
			return NewRefusal("InvalidCidrBlock")
		case containing && e.Destination != seed.ServiceRange():
			return NewRefusal("InvalidCidrBlock")
		}
	}
	return nil
}

// admitDestination6 is admits for IPv6. That a destination must not overlap a vSwitch is told without
// saying how; the default route, which every VPC with an IPv6 gateway has, must be left out.
func (t *Table) admitDestination6(destination netip.Prefix, r Readings) error {
	switch {
	case !t.VPC.IPv6.IsValid():
		return NewRefusal("OperationFailed.NotSupportIPV6")
	case r.IPv6Custom == Refuse && !t.System:
		return NewRefusal("OperationDenied.Ipv6EntryOnCustomTable")
	}
	a := destination.Addr()
	if destination.Bits() > 0 && (a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified()) {
		return NewRefusal("InvalidDestinationCidrBlock")
	}
	for _, e := range t.Entries {
		if (e.System || e.was != nil) && e.Destination.Overlaps(destination) && destination.Bits() > 0 {
			return NewRefusal("OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch")
		}
	}
	return nil
}

// needsNoInternet reports whether a destination is in no need of the internet: private space, the
// VPC's own ranges, its user CIDRs, or the default route.
func (v *VPC) needsNoInternet(destination netip.Prefix) bool {
	if destination.Bits() == 0 || destination.Addr().IsPrivate() || seed.ServiceRange().Contains(destination.Addr()) {
		return true
	}
	own := slices.Concat([]netip.Prefix{v.CIDR}, v.Secondary, v.UserCIDRs)
	return slices.ContainsFunc(own, func(p netip.Prefix) bool {
		return p.Contains(destination.Addr()) && p.Bits() <= destination.Bits()
	})
}
