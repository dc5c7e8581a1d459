package seed

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// ServiceRange is the system entry that every table has beside its vSwitches': the cloud's
// own services.
func ServiceRange() netip.Prefix { return netip.MustParsePrefix("100.64.0.0/10") }

// IsForbidden reports whether a destination lies in the black list. Only the error is
// documented, not the list: these are ranges no router forwards.
func IsForbidden(destination netip.Prefix) bool {
	for _, text := range [...]string{"127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"} {
		if p := netip.MustParsePrefix(text); p.Overlaps(destination) && destination.Bits() >= p.Bits() {
			return true
		}
	}
	return false
}

// Limits of an entry's texts, in characters.
const (
	NameLimit        = 128
	DescriptionLimit = 256
)

// TextFits reports whether a name or description of an entry is not too long and does not
// begin like a web address.
func TextFits(text string, limit int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		!strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://")
}
