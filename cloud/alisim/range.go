package alisim

import "net/netip"

// serviceRange is the system entry that every table has beside its vSwitches': the cloud's
// own services.
func serviceRange() netip.Prefix { return netip.MustParsePrefix("100.64.0.0/10") }

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
