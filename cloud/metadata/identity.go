package metadata

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/sealane/sealane/api"
)

// Identity is what the cloud says this machine is.
type Identity struct {
	Instance api.InstanceID
	Region   string
	Zone     string
	VPC      api.VPCID
	VSwitch  api.VSwitchID
	IP       netip.Addr // primary private IPv4 address
	MAC      string     // of the primary interface
	Hostname string
}

// Identity asks for this machine's identity. Agents call it at start. Errors:
// ErrUnreachable when nothing answers, ErrDenied when the token is refused,
// ErrUnsupported when the service knows no tokens, ErrInvalid when an answer is not what
// it should be.
func (c Client) Identity(ctx context.Context) (Identity, error) {
	s, done, err := c.openSession(ctx)
	if err != nil {
		return Identity{}, err
	}
	defer done()
	var id Identity
	for _, field := range []struct {
		path string
		take func(string) bool // reports whether the value is of the right shape
	}{
		{"instance-id", func(v string) bool { id.Instance = api.InstanceID(v); return isID(v, "i-") }},
		{"region-id", func(v string) bool { id.Region = v; return isName(v) }},
		{"zone-id", func(v string) bool { id.Zone = v; return isName(v) }},
		{"vpc-id", func(v string) bool { id.VPC = api.VPCID(v); return isID(v, "vpc-") }},
		{"vswitch-id", func(v string) bool { id.VSwitch = api.VSwitchID(v); return isID(v, "vsw-") }},
		{"private-ipv4", func(v string) (ok bool) { id.IP, ok = hostAddr(v); return ok }},
		{"mac", func(v string) bool { id.MAC = v; _, err := net.ParseMAC(v); return err == nil }},
		{"hostname", func(v string) bool { id.Hostname = v; return isName(v) }},
	} {
		value, err := s.readValue(ctx, field.path)
		if err != nil {
			return Identity{}, err
		}
		if !field.take(value) {
			return Identity{}, fmt.Errorf("metadata service at %s: %s is %.80q: %w", s.url, field.path, value, api.ErrInvalid)
		}
	}
	return id, nil
}

// isID reports whether s is an id of the cloud: its prefix, then letters and digits.
func isID(s, prefix string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && len(rest) >= 1 && len(rest) <= 64 && consistsOf(rest, "")
}

// isName reports whether s can be a region, a zone or a host name.
func isName(s string) bool { return s != "" && len(s) <= 253 && consistsOf(s, "-._") }

func consistsOf(s, also string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(also, r):
		default:
			return false
		}
	}
	return true
}

func hostAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Is4() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}
